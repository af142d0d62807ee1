// IP headers, extension headers, fragments, transports and shards.
#include <array>

#include "decode_frames.hpp"

using namespace frames;
using flowclass::base::kSecond;
using flowclass::decode::DecodeOptions;
using flowclass::decode::Decoder;
using flowclass::packet::Fragment;

namespace {

constexpr std::size_t kMore = 0x2000;

void expect_malformed(const Frame& packet) {
    const Decoded decoded = decode(kRaw, packet);
    CHECK_EQ(decoded.skip(), "malformed");
    CHECK_EQ(decoded.count(), 0U);
}

Frame with(Frame frame, std::size_t offset, const Frame& bytes) {
    for (std::size_t index = 0; index < bytes.size(); ++index) {
        frame[offset + index] = bytes[index];
    }
    return frame;
}

}  // namespace

TEST(ipv4_lengths_and_options) {
    const Frame packet = ipv4(6, tcp(7, 8, filled(11)), 0, hex("94040000"));
    const Decoded decoded = decode(kRaw, packet);
    CHECK_EQ(decoded.tuple(0), "10.0.0.1:7 > 10.0.0.2:8 6");
    CHECK_EQ(decoded.layer(0).ip_length, 24U + 20 + 11);
    CHECK_EQ(decoded.layer(0).payload_length, 11U);
    CHECK_EQ(decoded.layer(0).datagram_length, 11U);
    CHECK_EQ(decoded.layer(0).tcp_seq, 0x01020304U);
    CHECK_EQ(decoded.layer(0).tcp_flags, 0x018);
    CHECK_EQ(decoded.layer(0).parent, -1);
    check_every_cut(kRaw, packet);

    const Frame plain = ipv4(17, udp(7, 8, filled(4)));
    expect_malformed(with(plain, 0, {0x44}));    // header of 16 octets
    expect_malformed(with(plain, 2, be16(19)));  // shorter than its header
    expect_malformed(with(plain, 0, {0x4f}));    // options beyond the total length
    expect_malformed(with(plain, 0, {0x65}));    // IPv6 by version, IPv4 by length
    expect_malformed(Frame(plain.begin(), plain.begin() + 19));
    // A wrong header checksum is the sending host's offload, not an error.
    CHECK_EQ(decode(kRaw, with(plain, 10, hex("0000"))).count(), 1U);
    // Total length 0: segmentation offload, the frame says how long.
    const Decoded offload = decode(kRaw, with(plain, 2, be16(0)));
    CHECK_EQ(offload.layer(0).ip_length, 32U);
    CHECK_EQ(offload.layer(0).payload_length, 4U);
}

TEST(offload_lengths_are_believed_so_far) {
    Decoder decoder(DecodeOptions{.fragment_entries = 1});
    const auto out = std::make_unique<flowclass::packet::LayerBuffer>();
    for (const Frame& frame : {with(ipv4(17, udp(7, 8, filled(4))), 2, be16(0)),
                               with(ipv6(17, udp(7, 8, filled(4))), 4, be16(0))}) {
        flowclass::packet::PacketView view;
        view.bytes = frame;
        view.link_type = kRaw;
        view.wire_length = 80000;
        CHECK(decoder.decode(view, 0, *out).kind == flowclass::packet::SkipKind::none);
        CHECK_EQ(out->layers[0].ip_length, 80000U);
        out->clear();
        view.wire_length = 3'000'000'000;
        CHECK(decoder.decode(view, 0, *out).kind == flowclass::packet::SkipKind::malformed);
    }
}

TEST(ipv4_length_beyond_the_frame) {
    const Decoded decoded = decode(kRaw, with(ipv4(6, tcp(7, 8, filled(4))), 2, be16(1000)));
    CHECK_EQ(decoded.count(), 1U);
    CHECK_EQ(decoded.layer(0).ip_length, 1000U);
    CHECK(decoded.layer(0).truncated);
    CHECK_EQ(decoded.counters.ip_length_beyond_frame, 1U);
}

TEST(ipv6_lengths) {
    const Frame packet = ipv6(6, tcp(7, 8, filled(11)));
    const Decoded decoded = decode(kRaw, packet);
    CHECK_EQ(decoded.tuple(0), "2001:db8::1:7 > 2001:db8::2:8 6");
    CHECK_EQ(decoded.layer(0).ip_length, 71U);
    CHECK_EQ(decoded.layer(0).payload_length, 11U);
    check_every_cut(kRaw, packet);
    // Length 0: a jumbogram, unless there is no next header.
    CHECK_EQ(decode(kRaw, with(packet, 4, be16(0))).layer(0).payload_length, 11U);
    const Decoded nothing = decode(kRaw, ipv6(59, {}) + Frame(6, 0));
    CHECK_EQ(nothing.layer(0).ip_length, 40U);
    CHECK_EQ(nothing.layer(0).payload_length, 0U);
    expect_malformed(Frame(packet.begin(), packet.begin() + 39));
}

TEST(ipv6_extension_headers) {
    const Frame message = udp(7, 8, filled(4));
    const Frame chain = hex("2b00 0104 00000000") +  // hop-by-hop, then routing
                        hex("3c02 0000 00000000") +
                        Frame(16, 0) +              // routing of 24 octets, then destination
                        hex("1100 0104 00000000");  // destination options, then UDP
    const Decoded decoded = decode(kRaw, ipv6(0, chain + message));
    CHECK_EQ(decoded.tuple(0), "2001:db8::1:7 > 2001:db8::2:8 17");
    CHECK_EQ(decoded.layer(0).payload_length, 4U);
    CHECK_EQ(decoded.counters.extension_malformed, 0U);
    check_every_cut(kRaw, ipv6(0, chain + message));

    // AH is a flow's protocol.
    CHECK_EQ(decode(kRaw, ipv6(51, hex("1104 0000 00000100 00000001") + filled(12) + message))
                 .layer(0)
                 .ip_proto,
             51);
    // A mobility message stands alone; one with a header behind it is walked over.
    const Decoded mobility = decode(kRaw, ipv6(135, hex("3b00 0500 0000 0000")));
    CHECK_EQ(mobility.layer(0).ip_proto, 135);
    CHECK_EQ(mobility.layer(0).payload_length, 8U);
    CHECK_EQ(decode(kRaw, ipv6(135, hex("1100 0500 0000 0000") + message)).layer(0).ip_proto, 17);

    // A header longer than the packet: the layer stands, without ports.
    const Decoded beyond = decode(kRaw, ipv6(0, hex("11ff 0104 00000000") + message));
    CHECK_EQ(beyond.count(), 1U);
    CHECK(!beyond.layer(0).has_ports);
    CHECK_EQ(beyond.layer(0).ip_proto, 0);
    CHECK_EQ(beyond.counters.extension_malformed, 1U);

    Frame endless;
    for (int count = 0; count < 40; ++count) {
        endless = endless + hex("3c00 0104 00000000");
    }
    const Decoded bounded = decode(kRaw, ipv6(60, endless));
    CHECK_EQ(bounded.layer(0).ip_proto, 60);
    CHECK_EQ(bounded.layer(0).payload_length,
             40U * 8 - flowclass::decode::kMaxExtensionHeaders * 8);
    CHECK_EQ(bounded.counters.extension_malformed, 1U);
}

TEST(ipv4_fragments_learn_their_ports) {
    Decoder decoder(DecodeOptions{.fragment_entries = 2});
    const Frame message = udp(7, 8, filled(92));  // 100 octets
    const Frame first(message.begin(), message.begin() + 64);
    const Frame later(message.begin() + 64, message.end());
    const Decoded one = decode_with(decoder, kRaw, ipv4(17, first, kMore));
    CHECK_EQ(one.layer(0).fragment, Fragment::first);
    CHECK_EQ(one.layer(0).payload_length, 56U);
    CHECK_EQ(one.layer(0).datagram_length, 92U);
    CHECK_EQ(one.layer(0).payload.size(), 56U);
    const Decoded two = decode_with(decoder, kRaw, ipv4(17, later, 8));
    CHECK_EQ(two.layer(0).fragment, Fragment::later);
    CHECK_EQ(two.tuple(0), "10.0.0.1:7 > 10.0.0.2:8 17");
    CHECK_EQ(two.layer(0).payload_length, 36U);
    CHECK_EQ(two.layer(0).payload.size(), 36U);
    // Another identification, another protocol, another direction: nothing known.
    CHECK(!decode_with(decoder, kRaw, with(ipv4(17, later, 8), 4, hex("1235"))).layer(0).has_ports);
    CHECK(!decode_with(decoder, kRaw, ipv4(6, later, 8)).layer(0).has_ports);
    const Frame reversed = with(ipv4(17, later, 8), 12, hex("0a000002 0a000001"));
    CHECK(!decode_with(decoder, kRaw, reversed).layer(0).has_ports);
    CHECK_EQ(decoder.counters().fragments_without_first, 3U);
    check_every_cut(kRaw, ipv4(17, first, kMore));
    check_every_cut(kRaw, ipv4(17, later, 8));
}

TEST(fragment_table_is_bounded_and_forgets) {
    Decoder decoder(DecodeOptions{.fragment_entries = 2, .fragment_timeout = 30 * kSecond});
    const Frame first = ipv4(17, udp(7, 8, filled(16)), kMore);
    const Frame later = ipv4(17, filled(16), 3);
    const auto send = [&decoder](const Frame& frame, const char* id, flowclass::base::TimeNs time) {
        return decode_with(decoder, kRaw, with(frame, 4, hex(id)), SIZE_MAX, time)
            .layer(0)
            .has_ports;
    };
    send(first, "0001", 0);
    send(first, "0002", 0);
    CHECK(send(later, "0001", 30 * kSecond));
    CHECK(!send(later, "0001", 30 * kSecond + 1));
    send(first, "0001", 10 * kSecond);  // known: its time is new, its place in the ring is not
    CHECK_EQ(decoder.counters().fragment_evictions, 0U);
    send(first, "0003", 10 * kSecond);
    CHECK_EQ(decoder.counters().fragment_evictions, 1U);
    CHECK(!send(later, "0001", 10 * kSecond));
    CHECK(send(later, "0002", 10 * kSecond));
    CHECK(send(later, "0003", 10 * kSecond));
    send(first, "0004", 100 * kSecond);  // replaces one that had run out: no eviction
    CHECK_EQ(decoder.counters().fragment_evictions, 1U);
    CHECK(!send(later, "0003", INT64_MIN));
    CHECK(!send(later, "0004", INT64_MAX));
}

TEST(fragment_table_keeps_overlays_apart) {
    Decoder decoder(DecodeOptions{.fragment_entries = 8});
    const auto overlay = [](const char* network, const Frame& packet) {
        return ipv4(17, udp(9, 4789, hex("08000000") + hex(network) + ethernet(0x0800, packet)));
    };
    const Frame later = ipv4(17, filled(16), 3);
    decode_with(decoder, kRaw, overlay("00000100", ipv4(17, udp(7, 8, filled(16)), kMore)));
    CHECK(!decode_with(decoder, kRaw, overlay("00000200", later)).layer(1).has_ports);
    CHECK(decode_with(decoder, kRaw, overlay("00000100", later)).layer(1).has_ports);
    CHECK(!decode_with(decoder, kRaw, later).layer(0).has_ports);
}

TEST(ipv6_fragments) {
    Decoder decoder(DecodeOptions{.fragment_entries = 2});
    const Frame options = hex("1100 0104 00000000");
    // The first fragment's chain ends in UDP; the later one names the destination options it was
    // cut from.
    const Decoded one = decode_with(
        decoder, kRaw, ipv6(44, hex("3c00 0001 00000007") + options + udp(7, 8, filled(8))));
    CHECK_EQ(one.layer(0).fragment, Fragment::first);
    CHECK_EQ(one.tuple(0), "2001:db8::1:7 > 2001:db8::2:8 17");
    const Decoded two = decode_with(decoder, kRaw, ipv6(44, hex("3c00 0018 00000007") + filled(9)));
    CHECK_EQ(two.layer(0).fragment, Fragment::later);
    CHECK_EQ(two.tuple(0), "2001:db8::1:7 > 2001:db8::2:8 17");
    CHECK_EQ(two.layer(0).payload_length, 9U);
    // Offset 0 and nothing more to come: whole (RFC 6946).
    const Decoded whole =
        decode_with(decoder, kRaw, ipv6(44, hex("1100 0000 00000008") + udp(7, 8, filled(8))));
    CHECK_EQ(whole.layer(0).fragment, Fragment::none);
    CHECK_EQ(whole.layer(0).payload_length, 8U);
    const Decoded lost =
        decode_with(decoder, kRaw, ipv6(44, hex("1100 0018 00000009") + filled(9)));
    CHECK(!lost.layer(0).has_ports);
    CHECK_EQ(lost.layer(0).ip_proto, 17);
    CHECK_EQ(lost.counters.fragments_without_first, 1U);
    check_every_cut(kRaw, ipv6(44, hex("3c00 0001 00000007") + options + udp(7, 8, filled(8))));
}

TEST(icmp_fragments_learn_type_and_code) {
    Decoder decoder(DecodeOptions{.fragment_entries = 2});
    decode_with(decoder, kRaw, ipv4(1, hex("0803 0000 00010002") + filled(16), kMore));
    const Decoded later = decode_with(decoder, kRaw, ipv4(1, filled(16), 3));
    CHECK_EQ(later.layer(0).icmp_type, 8);
    CHECK_EQ(later.layer(0).icmp_code, 3);
    CHECK(!later.layer(0).has_ports);
}

TEST(tcp_headers) {
    const Frame options =
        with(tcp(7, 8, {}), 12, hex("71ff")) + hex("0101 0101 0101 0101") + filled(3);
    const Decoded decoded = decode(kRaw, ipv4(6, options));
    CHECK_EQ(decoded.layer(0).payload_length, 3U);
    CHECK_EQ(decoded.layer(0).tcp_flags, 0x1ff);
    check_every_cut(kRaw, ipv4(6, options));
    for (const char* offset : {"4018", "0018", "f018"}) {
        const Decoded wrong = decode(kRaw, ipv4(6, with(tcp(7, 8, filled(9)), 12, hex(offset))));
        CHECK_EQ(wrong.tuple(0), "10.0.0.1:7 > 10.0.0.2:8 6");
        CHECK_EQ(wrong.layer(0).payload_length, 0U);
        CHECK_EQ(wrong.layer(0).payload.size(), 0U);
        CHECK_EQ(wrong.counters.transport_malformed, 1U);
    }
    const Decoded tiny = decode(kRaw, ipv4(6, hex("0007 0008 0102")));
    CHECK_EQ(tiny.tuple(0), "10.0.0.1:7 > 10.0.0.2:8 6");
    CHECK_EQ(tiny.layer(0).payload_length, 0U);
    CHECK_EQ(tiny.counters.transport_malformed, 1U);
}

TEST(cut_tcp_header_keeps_what_there_is) {
    const Frame packet = ipv4(6, with(tcp(7, 8, {}), 12, hex("7002")) + filled(8 + 100));
    const Decoded ports = decode(kRaw, packet, 24);
    CHECK_EQ(ports.tuple(0), "10.0.0.1:7 > 10.0.0.2:8 6");
    CHECK(ports.layer(0).truncated);
    CHECK_EQ(ports.counters.transport_truncated, 1U);
    CHECK(!decode(kRaw, packet, 23).layer(0).has_ports);
    const Decoded flags = decode(kRaw, packet, 34);
    CHECK_EQ(flags.layer(0).tcp_flags, 0x002);
    CHECK_EQ(flags.layer(0).payload_length, 100U);
    CHECK_EQ(flags.layer(0).tcp_seq, 0x01020304U);
}

TEST(udp_lengths) {
    const auto lengths = [](const char* length, std::size_t content) {
        Decoded decoded = decode(kRaw, ipv4(17, with(udp(7, 8, filled(content)), 4, hex(length))));
        CHECK_EQ(decoded.tuple(0), "10.0.0.1:7 > 10.0.0.2:8 17");
        return decoded;
    };
    const Decoded trailer = lengths("000c", 10);  // octets behind the datagram
    CHECK_EQ(trailer.layer(0).payload_length, 4U);
    CHECK_EQ(trailer.layer(0).datagram_length, 4U);
    CHECK_EQ(trailer.layer(0).payload.size(), 4U);
    CHECK_EQ(trailer.counters.transport_malformed, 0U);
    const Decoded zero = lengths("0000", 10);
    CHECK_EQ(zero.layer(0).payload_length, 10U);
    CHECK_EQ(zero.counters.transport_malformed, 0U);
    const Decoded short_length = lengths("0007", 10);
    CHECK_EQ(short_length.layer(0).payload_length, 10U);
    CHECK_EQ(short_length.counters.transport_malformed, 1U);
    const Decoded beyond = lengths("0100", 10);
    CHECK_EQ(beyond.layer(0).payload_length, 10U);
    CHECK_EQ(beyond.layer(0).datagram_length, 10U);
    CHECK_EQ(beyond.counters.transport_malformed, 1U);
    const Decoded empty = lengths("0008", 0);
    CHECK_EQ(empty.layer(0).payload_length, 0U);
    // Cut behind the length field: the length still holds.
    const Decoded cut = decode(kRaw, ipv4(17, with(udp(7, 8, filled(10)), 4, hex("000c"))), 27);
    CHECK_EQ(cut.layer(0).payload_length, 4U);
    CHECK(cut.layer(0).truncated);
}

TEST(other_transports) {
    const Decoded lite = decode(kRaw, ipv4(136, hex("0007 0008 0008 0000") + filled(6)));
    CHECK_EQ(lite.tuple(0), "10.0.0.1:7 > 10.0.0.2:8 136");
    CHECK_EQ(lite.layer(0).payload_length, 6U);
    const Frame sctp = ipv4(132, hex("0007 0008 00000001 00000002") + filled(6));
    CHECK_EQ(decode(kRaw, sctp).tuple(0), "10.0.0.1:7 > 10.0.0.2:8 132");
    CHECK_EQ(decode(kRaw, sctp).layer(0).payload_length, 6U);
    check_every_cut(kRaw, sctp);
    const Frame icmp = ipv4(1, hex("0301 0000 00000000") + filled(6));
    CHECK_EQ(decode(kRaw, icmp).tuple(0), "10.0.0.1 > 10.0.0.2 1");
    CHECK_EQ(decode(kRaw, icmp).layer(0).icmp_type, 3);
    CHECK_EQ(decode(kRaw, icmp).layer(0).icmp_code, 1);
    CHECK_EQ(decode(kRaw, icmp).layer(0).payload_length, 6U);
    check_every_cut(kRaw, icmp);
    CHECK_EQ(decode(kRaw, ipv6(58, hex("8000 0000 00010001") + filled(6))).layer(0).icmp_type, 128);
    CHECK_EQ(decode(kRaw, ipv4(1, hex("0301 00"))).counters.transport_malformed, 1U);
    for (const std::uint8_t protocol : std::array<std::uint8_t, 5>{50, 51, 89, 2, 255}) {
        const Decoded whole = decode(kRaw, ipv4(protocol, filled(40)));
        CHECK_EQ(whole.layer(0).ip_proto, protocol);
        CHECK(!whole.layer(0).has_ports);
        CHECK_EQ(whole.layer(0).payload_length, 40U);
        CHECK_EQ(whole.layer(0).payload.size(), 40U);
    }
}

TEST(shards_share_every_frame_out) {
    constexpr std::uint32_t kShards = 3;
    std::vector<Decoder> shards;
    for (std::uint32_t shard = 0; shard < kShards; ++shard) {
        shards.emplace_back(DecodeOptions{
            .fragment_entries = 1, .shard = shard, .shard_count = kShards, .shard_key = {1, 2}});
    }
    const auto owner = [&shards](const Frame& frame) {
        std::uint32_t found = kShards;
        int owners = 0;
        for (std::uint32_t shard = 0; shard < kShards; ++shard) {
            if (decode_with(shards[shard], kRaw, frame).skip() !=
                to_string(
                    flowclass::packet::SkipReason{flowclass::packet::SkipKind::other_shard, 0})) {
                found = shard;
                ++owners;
            }
        }
        CHECK_EQ(owners, 1);
        return found;
    };
    std::array<int, kShards> share{};
    for (std::size_t host = 0; host < 300; ++host) {
        const Frame there = with(ipv4(17, udp(7, 8, filled(4))), 14, be16(host));
        Frame back = with(there, 12, Frame(there.begin() + 16, there.begin() + 20));
        back = with(back, 16, Frame(there.begin() + 12, there.begin() + 16));
        const std::uint32_t found = owner(there);
        CHECK_EQ(owner(back), found);
        CHECK_EQ(owner(with(there, 6, be16(3))), found);  // a later fragment
        CHECK_EQ(owner(with(there, 9, {47})), found);     // any protocol
        ++share[found];
    }
    CHECK(share[0] > 60 && share[1] > 60 && share[2] > 60);
    CHECK_EQ(owner(hex("55000000")), 0U);
    CHECK_EQ(owner({}), 0U);
}

TEST(layers_of_a_burst_share_the_buffer) {
    Decoder decoder(DecodeOptions{.fragment_entries = 1});
    const auto out = std::make_unique<flowclass::packet::LayerBuffer>();
    const Frame frame = ethernet(0x8100, hex("0005 0800") + ipv4(4, ipv4(17, udp(7, 8, {}))));
    flowclass::packet::PacketView view;
    view.bytes = frame;
    view.wire_length = static_cast<std::uint32_t>(frame.size());
    view.link_type = kEthernet;
    std::uint16_t packet = 0;
    while (out->has_room()) {
        CHECK(decoder.decode(view, packet++, *out).kind == flowclass::packet::SkipKind::none);
    }
    CHECK_EQ(out->layer_count, 2U * packet);
    CHECK_EQ(out->layers[5].parent, 4);
    CHECK_EQ(out->layers[5].packet, 2);
    CHECK_EQ(out->layers[5].encap_first, 4);
    CHECK_EQ(out->layers[5].encap_count, 2);
    CHECK_EQ(out->layers[4].encap_count, 1);
    const std::size_t full = out->layer_count;
    CHECK(decoder.decode(view, packet, *out).kind != flowclass::packet::SkipKind::none);
    CHECK_EQ(out->layer_count, full);
}
