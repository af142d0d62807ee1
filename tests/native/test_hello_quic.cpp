// ClientHellos in QUIC Initials: the RFCs' own, over several packets and datagrams, after a Retry,
// cut and changed anywhere.
#include <random>
#include <string>

#include "check.hpp"
#include "hello/quic_initial.hpp"
#include "hello_heads.hpp"
#include "quic_datagrams.hpp"

using namespace flowclass;
using namespace hello_heads;

namespace {

std::string read_all(std::span<const std::string_view> hex,
                     Direction direction = Direction::forward) {
    HeadBuilder builder(kUdp);
    for (const std::string_view datagram : hex) {
        builder.add(from_hex(datagram), direction);
    }
    ClientHello out;
    if (!builder.read(out)) {
        return "none";
    }
    CHECK(out.carrier == hello::Carrier::quic);
    CHECK(out.direction == direction);
    return std::string(out.server_name()) + " " + std::string(out.alpn()) + " " +
           std::string(out.ja4());
}

}  // namespace

TEST(quic_initial_of_rfc_9001) {
    CHECK_EQ(read_all(kRfc9001), "example.com alpn q13d0211an_62ed6f6ca7ad_4d634acda6c0");
    HeadBuilder builder(kUdp);
    builder.add(from_hex(kRfc9001[0]));
    ClientHello out;
    CHECK(builder.read(out));
    CHECK_EQ(out.quic_version, 1U);
    CHECK_EQ(out.transport_parameters.size(), 50U);
    CHECK_EQ(out.transport_parameters[0], 4);
    const ClientHello::Place place = out.place_of(out.server_name_octets);
    CHECK(place.there);
    CHECK_EQ(place.offset, 0U);
    CHECK_EQ(place.length, 1200U);
}

TEST(quic_initial_of_rfc_9369) {
    CHECK_EQ(read_all(kRfc9369), read_all(kRfc9001));
    HeadBuilder builder(kUdp);
    builder.add(from_hex(kRfc9369[0]));
    ClientHello out;
    CHECK(builder.read(out));
    CHECK_EQ(out.quic_version, 0x6b3343cfU);
}

TEST(quic_initial_of_draft_29) {
    CHECK_EQ(read_all(kDraft29), "server  q13d030900_55b375c5d22e_59cd3dafc54d");
}

TEST(quic_packet_numbers_of_three_octets) {
    CHECK_EQ(read_all(kNumber).substr(0, 20), "retry.example.org h3");
}

TEST(quic_hello_over_two_datagrams_in_any_order) {
    const std::string whole = read_all(kPostQuantum);
    CHECK_EQ(whole.substr(0, 18), "pq.example.org h3 ");
    CHECK_EQ(read_all(kPostQuantum, Direction::reverse), whole);
    const std::array<std::string_view, 2> turned{kPostQuantum[1], kPostQuantum[0]};
    CHECK_EQ(read_all(turned), whole);
    const std::array<std::string_view, 4> repeated{
        kPostQuantum[1], kPostQuantum[1], kPostQuantum[0], kPostQuantum[0]};
    CHECK_EQ(read_all(repeated), whole);
    CHECK_EQ(read_all(std::span(kPostQuantum).first(1)), "none");
    CHECK_EQ(read_all(std::span(kPostQuantum).last(1)), "none");
}

TEST(quic_hello_after_a_retry) {
    CHECK_EQ(read_all(kRetried).substr(0, 20), "retry.example.org h3");
    CHECK_EQ(read_all(std::span(kRetried).last(2)).substr(0, 20), "retry.example.org h3");
    CHECK_EQ(read_all(std::span(kRetried).first(2)), "none");
}

TEST(quic_initials_in_one_datagram) {
    CHECK_EQ(read_all(kCoalesced).substr(0, 20), "retry.example.org h3");
}

TEST(quic_datagrams_of_a_server_between_the_clients) {
    HeadBuilder builder(kUdp);
    // The server's Initial of RFC 9001 appendix A.3, filled up with what no key opens.
    Octets server = from_hex("cf000000010008f067a5502a4262b50040750001");
    server.resize(1200, 0x55);
    builder.add(server)
        .add(from_hex(kPostQuantum[0]), Direction::reverse)
        .add(server)
        .add(from_hex(kPostQuantum[1]), Direction::reverse);
    ClientHello out;
    CHECK(builder.read(out));
    CHECK(out.direction == Direction::reverse);
    CHECK_EQ(out.entry, 1);
    CHECK_EQ(out.server_name(), "pq.example.org");
}

TEST(quic_initial_cut_anywhere_is_none) {
    const Octets whole = from_hex(kRfc9001[0]);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        ClientHello out;
        HeadBuilder builder(kUdp);
        builder.add(part(whole, 0, length), Direction::forward, whole.size());
        CHECK(!builder.read(out));
    }
}

TEST(quic_initial_with_any_octet_changed_is_none) {
    for (const std::string_view hex : {kRfc9001[0], kRfc9369[0]}) {
        const Octets whole = from_hex(hex);
        for (std::size_t at = 0; at < whole.size(); ++at) {
            Octets changed = whole;
            changed[at] ^= 0x11;
            ClientHello out;
            HeadBuilder builder(kUdp);
            builder.add(changed);
            CHECK(!builder.read(out));
        }
    }
}

TEST(quic_long_headers_of_octets_at_random) {
    std::mt19937 random(9000);
    const Octets good = from_hex(kCoalesced[0]);
    for (int round = 0; round < 3000; ++round) {
        Octets octets = good;
        for (std::size_t change = 1 + random() % 6; change > 0; --change) {
            octets[random() % 40] = static_cast<std::uint8_t>(random());
        }
        base::ByteReader reader(octets);
        hello::LongPacket packet;
        while (hello::next_packet(reader, packet)) {
            CHECK(packet.octets.size() <= octets.size());
            CHECK(packet.number_offset <= packet.octets.size());
            CHECK(packet.destination.size() <= 20);
        }
    }
}

TEST(variable_length_integers) {
    // RFC 9000 appendix A.1.
    for (const auto& [hex, value] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
             {"c2197c5eff14e88c", 151288809941952652U},
             {"9d7f3e7d", 494878333U},
             {"7bbd", 15293U},
             {"25", 37U},
             {"4025", 37U}}) {
        const Octets octets = from_hex(hex);
        base::ByteReader reader(octets);
        CHECK_EQ(hello::read_varint(reader), value);
        CHECK(reader.ok());
        CHECK_EQ(reader.remaining(), 0U);
        base::ByteReader cut(base::Bytes(octets).first(octets.size() - 1));
        static_cast<void>(hello::read_varint(cut));
        CHECK(!cut.ok());
    }
}
