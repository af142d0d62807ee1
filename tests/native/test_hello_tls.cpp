// ClientHellos over TCP: split in every way, cut at every length, hostile.
#include <algorithm>
#include <random>
#include <string>

#include "check.hpp"
#include "hello_heads.hpp"

using namespace flowclass;
using namespace hello_heads;

namespace {

HeadBuilder one_segment(const Octets& octets) {
    HeadBuilder builder(kTcp);
    builder.add(octets);
    return builder;
}

std::string name_in(const Hello& hello) {
    ClientHello out;
    HeadBuilder builder = one_segment(records(hello.message()));
    return builder.read(out) ? std::string(out.server_name()) : std::string("none");
}

std::string alpn_in(const Hello& hello) {
    ClientHello out;
    HeadBuilder builder = one_segment(records(hello.message()));
    return builder.read(out) ? std::string(out.alpn()) : std::string("none");
}

Hello with(const Extension& extension) {
    Hello hello;
    hello.extensions = {extension};
    return hello;
}

}  // namespace

TEST(tls_hello_in_one_record) {
    ClientHello out;
    HeadBuilder builder = one_segment(records(foxio_hello().message()));
    CHECK(builder.read(out));
    CHECK(out.carrier == hello::Carrier::tls);
    CHECK(out.direction == Direction::forward);
    CHECK_EQ(out.record_version, 0x0301);
    CHECK_EQ(out.legacy_version, 0x0303);
    CHECK_EQ(out.server_name(), "example.com");
    CHECK_EQ(out.alpn(), "h2,http/1.1");
    CHECK_EQ(out.cipher_suites.size(), 32U);
    CHECK_EQ(out.supported_versions.size(), 6U);
    CHECK_EQ(out.signature_algorithms.size(), 16U);
    CHECK(out.session_id.empty());
}

TEST(tls_hello_of_the_other_direction) {
    ClientHello out;
    HeadBuilder builder(kTcp);
    builder.add(from_hex("160303005a02000056"))
        .add(records(foxio_hello().message()), Direction::reverse);
    CHECK(builder.read(out));
    CHECK(out.direction == Direction::reverse);
    CHECK_EQ(out.entry, 1);
    CHECK_EQ(out.server_name(), "example.com");
}

TEST(tls_hello_over_records_of_every_size) {
    const Octets message = foxio_hello().message();
    ClientHello whole;
    HeadBuilder plain = one_segment(records(message));
    CHECK(plain.read(whole));
    for (std::size_t most = 1; most <= message.size(); ++most) {
        ClientHello out;
        HeadBuilder builder = one_segment(records(message, most));
        CHECK(builder.read(out));
        CHECK_EQ(out.server_name(), whole.server_name());
        CHECK_EQ(out.alpn(), whole.alpn());
        CHECK_EQ(out.ja4(), whole.ja4());
    }
}

TEST(tls_hello_cut_anywhere_is_none) {
    for (const std::size_t most : {16384U, 50U, 1U}) {
        const Octets stream = records(foxio_hello().message(), most);
        for (std::size_t length = 0; length < stream.size(); ++length) {
            ClientHello out;
            HeadBuilder builder(kTcp);
            builder.add(part(stream, 0, length), Direction::forward, stream.size());
            CHECK(!builder.read(out));
        }
    }
}

TEST(tls_hello_of_post_quantum_size) {
    Hello hello = foxio_hello();
    hello.extensions.push_back({0x6399, Octets(1300, 7)});
    const Octets stream = records(hello.message());
    CHECK(stream.size() > 1500);
    ClientHello out;
    HeadBuilder builder(kTcp);
    builder.add(part(stream, 0, 1400)).add(part(stream, 1400, stream.size()));
    CHECK(builder.read(out));
    CHECK_EQ(out.server_name(), "example.com");
}

TEST(tls_hello_caught_in_the_middle_must_fill_its_record) {
    const Octets message = foxio_hello().message();
    ClientHello out;
    HeadBuilder fitting = one_segment(records(message));
    CHECK(fitting.from_start(false).read(out));
    Octets longer = message;
    put_all(longer, {2, 0, 0, 0});
    HeadBuilder not_fitting = one_segment(records(longer));
    CHECK(!not_fitting.from_start(false).read(out));
    CHECK(not_fitting.from_start(true).read(out));
}

TEST(tls_hello_that_contradicts_itself_is_none) {
    const Octets message = foxio_hello().message();
    ClientHello out;
    // Each length field one off, the message's own length as it was.
    for (const std::size_t at : {3U, 38U, 40U, 73U, 76U}) {
        for (const int step : {-1, 1}) {
            Octets wrong = message;
            wrong[at] = static_cast<std::uint8_t>(wrong[at] + step);
            HeadBuilder builder = one_segment(records(wrong));
            CHECK(!builder.read(out));
        }
    }
    Octets version = message;
    version[4] = 0x7f;
    HeadBuilder builder = one_segment(records(version));
    CHECK(!builder.read(out));
    Hello no_suites;
    no_suites.suites = {};
    HeadBuilder empty = one_segment(records(no_suites.message()));
    CHECK(!empty.read(out));
}

TEST(tls_hello_without_extensions) {
    Hello hello;
    hello.has_extensions = false;
    ClientHello out;
    HeadBuilder builder = one_segment(records(hello.message()));
    CHECK(builder.read(out));
    CHECK(!out.has_server_name);
    CHECK(out.server_name().empty());
    CHECK(out.alpn().empty());
}

TEST(server_names_as_they_are_shown) {
    CHECK_EQ(name_in(with(server_name("WWW.Example.ORG"))), "www.example.org");
    CHECK_EQ(name_in(with(server_name("www.example.org."))), "www.example.org");
    CHECK_EQ(name_in(with(server_name("_sip._tcp.xn--bcher-kva.example"))),
             "_sip._tcp.xn--bcher-kva.example");
    CHECK_EQ(name_in(with(server_name("192.0.2.1"))), "192.0.2.1");
    CHECK_EQ(name_in(with(server_name("2001:db8::1"))), "");
    CHECK_EQ(name_in(with(server_name(""))), "");
    CHECK_EQ(name_in(with(server_name("."))), "");
    CHECK_EQ(name_in(with(server_name("a..b"))), "");
    CHECK_EQ(name_in(with(server_name(".a"))), "");
    CHECK_EQ(name_in(with(server_name("a b"))), "");
    CHECK_EQ(name_in(with(server_name("a\x1b[31mb"))), "");
    CHECK_EQ(name_in(with(server_name(std::string_view("a\0b", 3)))), "");
    CHECK_EQ(name_in(with(server_name("b\xc3\xbc.example"))), "");
    CHECK_EQ(name_in(with(server_name("=cmd|calc!A0"))), "");
    CHECK_EQ(name_in(with(server_name(std::string(63, 'a') + ".b"))), std::string(63, 'a') + ".b");
    CHECK_EQ(name_in(with(server_name(std::string(64, 'a') + ".b"))), "");
    std::string longest;
    while (longest.size() < 254) {
        longest += "a.";
    }
    longest += "a";
    CHECK_EQ(name_in(with(server_name(longest))), longest);
    CHECK_EQ(name_in(with(server_name(longest + ".a"))), "");
    CHECK_EQ(name_in(with(server_name("example.org", 1))), "");
    // The list is shorter than the name in it.
    CHECK_EQ(name_in(with({0, from_hex("0004000009612e6578616d706c65")})), "");
    CHECK_EQ(name_in(with({0, {}})), "");
}

TEST(a_name_that_cannot_be_shown_was_sent_all_the_same) {
    ClientHello out;
    HeadBuilder builder = one_segment(records(with(server_name("a b")).message()));
    CHECK(builder.read(out));
    CHECK(out.has_server_name);
    CHECK(out.server_name().empty());
    CHECK_EQ(out.server_name_octets.size(), 3U);
}

TEST(protocol_names_as_they_are_shown) {
    CHECK_EQ(alpn_in(with(alpn({"h2", "http/1.1"}))), "h2,http/1.1");
    CHECK_EQ(alpn_in(with(alpn({"\x0a\x0a", "h2"}))), "h2");
    CHECK_EQ(alpn_in(with(alpn({"a,b", "h2", "c d", "\x1b[0m", "", "\xff"}))), "h2");
    CHECK_EQ(alpn_in(with({16, {}})), "");
    CHECK_EQ(alpn_in(with({16, from_hex("0003ff6832")})), "");
    const std::string longest(255, 'x');
    CHECK_EQ(alpn_in(with(alpn({longest, "h2"}))), longest);
    CHECK_EQ(alpn_in(with(alpn({"h2", longest, "h3"}))), "h2,h3");
}

TEST(the_place_of_a_name) {
    const Octets message = foxio_hello().message();
    for (const std::size_t most : {16384U, 120U, 100U}) {
        const Octets stream = records(message, most);
        HeadBuilder builder = one_segment(stream);
        ClientHello out;
        CHECK(builder.read(out));
        const ClientHello::Place place = out.place_of(out.server_name_octets);
        CHECK(place.there);
        CHECK(place.length >= 1 && place.length <= 11);
        const std::string_view name = "Example.com";
        CHECK(std::equal(name.begin(),
                         name.begin() + static_cast<std::ptrdiff_t>(place.length),
                         stream.begin() + static_cast<std::ptrdiff_t>(place.offset)));
        CHECK_EQ(place.length == name.size(), most != 100U);
    }
    ClientHello out;
    HeadBuilder tiny = one_segment(records(message, 1));
    CHECK(tiny.read(out));
    CHECK(!out.place_of(out.server_name_octets).there);
}

TEST(octets_at_random_are_no_hello_or_a_sound_one) {
    std::mt19937 random(20240607);
    const Octets good = records(foxio_hello().message());
    for (int round = 0; round < 20000; ++round) {
        Octets octets = good;
        for (std::size_t change = 1 + random() % 4; change > 0; --change) {
            octets[random() % octets.size()] = static_cast<std::uint8_t>(random());
        }
        ClientHello out;
        HeadBuilder builder = one_segment(octets);
        if (builder.read(out)) {
            CHECK(out.server_name().size() <= hello::kMaxServerName);
            CHECK(std::all_of(out.server_name().begin(), out.server_name().end(), [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                       c == '.';
            }));
            CHECK(std::all_of(
                out.alpn().begin(), out.alpn().end(), [](char c) { return c > ' ' && c < 0x7f; }));
        }
    }
}

TEST(what_is_no_tls_is_not_tried) {
    for (const std::string_view hex :
         {"", "16", "1603010005", "170303001001", "474554202f20", "160301000502"}) {
        HeadBuilder builder = one_segment(from_hex(hex));
        CHECK(!hello::may_hold_hello(builder.head()));
    }
}
