// ClientHellos over DTLS: fragments in every order, cookies, cuts.
#include <algorithm>
#include <random>
#include <string>

#include "check.hpp"
#include "hello_heads.hpp"

using namespace flowclass;
using namespace hello_heads;

namespace {

struct Wire {
    std::uint16_t record_version = 0xfeff;
    std::uint16_t message = 0;
    std::uint16_t epoch = 0;
};

Octets fragment(const Octets& body, std::size_t begin, std::size_t end, const Wire& wire) {
    Octets out{1};
    put(out, body.size(), 3);
    put(out, wire.message, 2);
    put(out, begin, 3);
    put_counted(out, part(body, begin, end), 3);
    return out;
}

Octets record(const Octets& content, const Wire& wire, std::uint8_t type = 22) {
    Octets out{type};
    put(out, wire.record_version, 2);
    put(out, wire.epoch, 2);
    put(out, 0, 6);
    put_counted(out, content, 2);
    return out;
}

std::vector<Octets> datagrams(const Octets& body, std::size_t most, const Wire& wire = {}) {
    std::vector<Octets> out;
    for (std::size_t at = 0; at < body.size(); at += most) {
        out.push_back(record(fragment(body, at, std::min(body.size(), at + most), wire), wire));
    }
    return out;
}

Hello dtls_hello(std::uint16_t version = 0xfefd) {
    Hello hello = foxio_hello();
    hello.version = version;
    std::erase_if(hello.extensions, [](const Extension& row) { return row.first == 43; });
    return hello;
}

const Octets kNoCookie;
const Octets kCookie(20, 0xc0);

}  // namespace

TEST(dtls_hello_in_one_datagram) {
    ClientHello out;
    HeadBuilder builder(kUdp);
    builder.add(datagrams(dtls_hello().body(&kNoCookie), 9999)[0]);
    CHECK(builder.read(out));
    CHECK(out.carrier == hello::Carrier::dtls);
    CHECK_EQ(out.record_version, 0xfeff);
    CHECK_EQ(out.legacy_version, 0xfefd);
    CHECK_EQ(out.server_name(), "example.com");
    CHECK_EQ(out.alpn(), "h2,http/1.1");
    CHECK_EQ(out.ja4(), "dd2d1515h2_8daaf6152771_8d4582d59f63");
    const ClientHello::Place place = out.place_of(out.server_name_octets);
    CHECK(place.there);
    CHECK_EQ(place.entry, 0U);
    CHECK_EQ(place.length, 11U);
    const base::Bytes kept = builder.head().payload(0).bytes;
    CHECK_EQ(kept[place.offset], 'E');
}

TEST(dtls_hello_behind_stun) {
    ClientHello out;
    HeadBuilder builder(kUdp);
    builder.add(from_hex("000100002112a442000102030405060708090a0b"))
        .add(from_hex("010100002112a442000102030405060708090a0b"), Direction::reverse)
        .add(datagrams(dtls_hello().body(&kNoCookie), 9999)[0], Direction::reverse);
    CHECK(builder.read(out));
    CHECK(out.direction == Direction::reverse);
    CHECK_EQ(out.entry, 2);
    CHECK_EQ(out.server_name(), "example.com");
}

TEST(dtls_fragments_of_every_size_in_any_order) {
    std::mt19937 random(7);
    const Octets body = dtls_hello().body(&kNoCookie);
    for (std::size_t most = (body.size() + 11) / 12; most <= body.size(); ++most) {
        std::vector<Octets> sent = datagrams(body, most);
        std::shuffle(sent.begin(), sent.end(), random);
        ClientHello out;
        HeadBuilder builder(kUdp);
        for (const Octets& datagram : sent) {
            builder.add(datagram);
        }
        CHECK(builder.read(out));
        CHECK_EQ(out.server_name(), "example.com");
        CHECK_EQ(out.alpn(), "h2,http/1.1");
    }
}

TEST(dtls_fragments_over_records_of_one_datagram_overlapping) {
    const Wire wire;
    const Octets body = dtls_hello().body(&kNoCookie);
    Octets two = fragment(body, 100, 180, wire);
    put_all(two, fragment(body, 0, 120, wire));
    Octets datagram = record(two, wire);
    put_all(datagram, record(fragment(body, 150, body.size(), wire), wire));
    ClientHello out;
    HeadBuilder builder(kUdp);
    builder.add(datagram);
    CHECK(builder.read(out));
    CHECK_EQ(out.server_name(), "example.com");
    // The same, but one overlapping fragment says something else.
    Octets other = body;
    other[110] ^= 1;
    Octets lie = record(fragment(other, 100, 180, wire), wire);
    put_all(lie, datagram);
    HeadBuilder liar(kUdp);
    liar.add(lie);
    CHECK(!liar.read(out));
}

TEST(dtls_hello_with_a_cookie_says_the_same) {
    ClientHello first;
    HeadBuilder alone(kUdp);
    alone.add(datagrams(dtls_hello().body(&kNoCookie), 9999)[0]);
    CHECK(alone.read(first));
    Wire again;
    again.message = 1;
    ClientHello out;
    HeadBuilder both(kUdp);
    both.add(datagrams(dtls_hello().body(&kNoCookie), 9999)[0]);
    for (const Octets& datagram : datagrams(dtls_hello().body(&kCookie), 100, again)) {
        both.add(datagram);
    }
    CHECK(both.read(out));
    CHECK_EQ(out.cookie.size(), 20U);
    CHECK(out.entry > 0);
    CHECK_EQ(out.server_name(), first.server_name());
    CHECK_EQ(out.alpn(), first.alpn());
    CHECK_EQ(out.ja4(), first.ja4());
    // The second is cut: the first counts.
    ClientHello cut;
    HeadBuilder half(kUdp);
    half.add(datagrams(dtls_hello().body(&kNoCookie), 9999)[0])
        .add(datagrams(dtls_hello().body(&kCookie), 100, again)[0]);
    CHECK(half.read(cut));
    CHECK(cut.cookie.empty());
    CHECK_EQ(cut.ja4(), first.ja4());
}

TEST(dtls_versions) {
    struct Row {
        std::uint16_t record, hello;
        const char* ja4;
    };
    for (const Row& row :
         {Row{0xfeff, 0xfeff, "dd1"}, Row{0xfeff, 0xfefd, "dd2"}, Row{0x0100, 0x0100, "d00"}}) {
        Wire wire;
        wire.record_version = row.record;
        ClientHello out;
        HeadBuilder builder(kUdp);
        builder.add(datagrams(dtls_hello(row.hello).body(&kNoCookie), 9999, wire)[0]);
        CHECK(builder.read(out));
        CHECK_EQ(out.ja4().substr(0, 3), row.ja4);
    }
    // DTLS 1.3 offers FEFC and FEFD: the lower number is the higher version.
    Hello hello = dtls_hello();
    hello.extensions.push_back(supported_versions({0xfefc, 0xfefd}));
    ClientHello out;
    HeadBuilder builder(kUdp);
    builder.add(datagrams(hello.body(&kNoCookie), 9999)[0]);
    CHECK(builder.read(out));
    CHECK_EQ(out.ja4().substr(0, 3), "dd3");
}

TEST(dtls_hello_cut_anywhere_is_none) {
    const Octets datagram = datagrams(dtls_hello().body(&kNoCookie), 9999)[0];
    for (std::size_t length = 0; length < datagram.size(); ++length) {
        ClientHello out;
        HeadBuilder builder(kUdp);
        builder.add(part(datagram, 0, length), Direction::forward, datagram.size());
        CHECK(!builder.read(out));
    }
}

TEST(dtls_records_that_hold_no_clear_hello) {
    const Octets body = dtls_hello().body(&kNoCookie);
    Wire sealed;
    sealed.epoch = 1;
    Wire tls;
    tls.record_version = 0x0303;
    Octets server = fragment(body, 0, body.size(), {});
    server[0] = 2;
    for (const Octets& datagram : {datagrams(body, 9999, sealed)[0],
                                   datagrams(body, 9999, tls)[0],
                                   record(server, {}),
                                   record(fragment(body, 0, body.size(), {}), {}, 23)}) {
        ClientHello out;
        HeadBuilder builder(kUdp);
        builder.add(datagram);
        CHECK(!builder.read(out));
    }
}
