// Every tunnel: opened with its ids, closed at each wrong field, cut at every octet.
#include "decode_frames.hpp"

using namespace frames;
using flowclass::decode::DecodeOptions;
using flowclass::decode::Decoder;
using flowclass::packet::kMaxDepth;

namespace {

const Frame kInner = ipv4(17, udp(7, 8, filled(5)));
const Frame kInner6 = ipv6(17, udp(7, 8, filled(5)));
const std::string kTuple = "10.0.0.1:7 > 10.0.0.2:8 17";
const std::string kTuple6 = "2001:db8::1:7 > 2001:db8::2:8 17";

// The packet holds kInner or kInner6 behind `encaps`; its own layer stands, and every cut of it
// gives a status.
void expect_inner(const Frame& packet, const std::string& encaps, std::size_t layers = 2) {
    const Decoded decoded = decode(kRaw, packet);
    CHECK_EQ(decoded.count(), layers);
    if (decoded.count() == layers) {
        const auto& inner = decoded.layer(layers - 1);
        CHECK_EQ(decoded.tuple(layers - 1), inner.src.version == 4 ? kTuple : kTuple6);
        CHECK_EQ(decoded.encaps(layers - 1), encaps);
        CHECK_EQ(inner.parent, static_cast<int>(layers) - 2);
        CHECK_EQ(inner.payload_length, 5U);
        CHECK_EQ(decoded.layer(0).parent, -1);
        CHECK_EQ(decoded.layer(0).encap_count, 0);
        CHECK_EQ(decoded.counters.inner_malformed + decoded.counters.inner_truncated, 0U);
    }
    check_every_cut(kRaw, packet);
}

// The outer layer alone.
Decoded expect_closed(const Frame& packet) {
    Decoded decoded = decode(kRaw, packet);
    CHECK_EQ(decoded.skip(), "none");
    CHECK_EQ(decoded.count(), 1U);
    CHECK_EQ(decoded.out->encap_count, 0U);
    return decoded;
}

void expect_malformed(std::uint8_t protocol, const Frame& payload) {
    CHECK_EQ(expect_closed(ipv4(protocol, payload)).counters.inner_malformed, 1U);
}

Frame udp_tunnel(std::size_t port, const Frame& payload) {
    return ipv4(17, udp(50000, port, payload));
}

Frame with(Frame frame, std::size_t offset, std::uint8_t value) {
    frame[offset] = value;
    return frame;
}

// 2001:0:0:0:0:0:0:1 -> 2001:db8::2
Frame teredo_inner() {
    return with(with(kInner6, 10, 0), 11, 0);
}

}  // namespace

TEST(tunnel_gre) {
    expect_inner(ipv4(47, hex("0000 0800") + kInner), "gre:0");
    expect_inner(ipv4(47, hex("0000 86dd") + kInner6), "gre:0");
    expect_inner(ipv6(47, hex("2000 0800 00000007") + kInner), "gre:7");
    expect_inner(ipv4(47, hex("b000 0800 0000 0000 00000007 00000001") + kInner), "gre:7");
    expect_inner(ipv4(47, hex("2000 6558 00000a00") + ethernet(0x0800, kInner)), "gre:2560");
    expect_inner(ipv4(47, hex("0000 8847 00064140") + kInner), "gre:0 mpls:100");
    // Cisco MetaData: here its EtherType comes first.
    expect_inner(ipv4(47, hex("2000 8909 00000007 0800 0101 0001 0002") + kInner), "gre:7");
    expect_inner(ipv4(47, hex("0000 8909 6558 0101 0001 0002") + ethernet(0x0800, kInner)),
                 "gre:0");
    for (const char* header :
         {"0800 0201 0001 0002", "0800 0101 2001 0002", "0800 0101 0001 ffff"}) {
        const Frame frame = ipv4(47, hex("0000 8909") + hex(header) + kInner);
        CHECK_EQ(expect_closed(frame).counters.inner_not_ip, 1U);
    }
    expect_malformed(47, hex("0000 8909 0800 0101 0001 00"));
    expect_malformed(47, hex("4000 0800") + kInner);  // routing
    expect_malformed(47, hex("0008 0800") + kInner);  // a reserved flag
    expect_malformed(47, hex("0002 0800") + kInner);  // version 2
    expect_malformed(47, hex("2000 0800 0000"));
    expect_malformed(47, hex("00"));
    CHECK_EQ(expect_closed(ipv4(47, hex("0000 2001") + filled(30))).counters.inner_not_ip, 1U);
    CHECK_EQ(expect_closed(ipv4(47, hex("0000 0000"))).counters.inner_not_ip, 1U);
}

TEST(tunnel_pptp) {
    const Frame length = be16(4 + kInner.size());
    expect_inner(ipv4(47, hex("3001 880b") + length + hex("0009 00000001 ff03 0021") + kInner),
                 "pptp-gre:9");
    expect_inner(ipv4(47,
                      hex("3081 880b") + be16(1 + kInner.size()) +
                          hex("0009 00000001 00000002 21") + kInner),
                 "pptp-gre:9");
    const Decoded acknowledgment = expect_closed(ipv4(47, hex("2081 880b 0000 0009 00000002")));
    CHECK_EQ(acknowledgment.counters.inner_malformed + acknowledgment.counters.inner_not_ip, 0U);
    CHECK_EQ(expect_closed(ipv4(47, hex("3001 880b 0006 0009 00000001 ff03 c021 0101")))
                 .counters.inner_not_ip,
             1U);
    expect_malformed(
        47, hex("1001 880b") + length + hex("0009 00000001 ff03 0021") + kInner);  // no key
    expect_malformed(47, hex("3001 0800") + length + hex("0009 00000001 ff03 0021") + kInner);
    expect_malformed(
        47, hex("3001 880b ffff 0009 00000001 ff03 0021") + kInner);  // longer than the packet
    expect_malformed(
        47, hex("3001 880b 0009 0009 00000001 ff03 0021") + kInner);  // cuts the inner packet
}

TEST(tunnel_erspan) {
    const Frame mirrored = ethernet(0x0800, kInner);
    expect_inner(ipv4(47, hex("0000 88be") + mirrored), "gre:0 erspan:0");
    expect_inner(ipv4(47, hex("1000 88be 00000001 10050064 00000000") + mirrored),
                 "gre:0 erspan:100");
    expect_inner(ipv4(47, hex("1000 22eb 00000001 20050064 00000000 00000000") + mirrored),
                 "gre:0 erspan:100");
    expect_inner(
        ipv4(47, hex("1000 22eb 00000001 20050064 00000000 00000001 0000000000000000") + mirrored),
        "gre:0 erspan:100");
    expect_malformed(47, hex("1000 88be 00000001 20050064 00000000") + mirrored);
    expect_malformed(47, hex("1000 22eb 00000001 10050064 00000000 00000000") + mirrored);
}

TEST(tunnel_ip_in_ip) {
    expect_inner(ipv4(4, kInner), "ip-in-ip:0");
    expect_inner(ipv6(4, kInner), "ip-in-ip:0");
    expect_inner(ipv4(41, kInner6), "6in4:0");
    expect_inner(ipv4(4, kInner + Frame(4, 0)), "ip-in-ip:0");  // padding behind the inner packet
    expect_malformed(4, kInner6);
    expect_malformed(41, kInner + filled(40));
    expect_malformed(4, {});
    expect_malformed(41, {});
}

TEST(inner_header_is_checked) {
    expect_malformed(4, with(kInner, 10, static_cast<std::uint8_t>(kInner[10] ^ 1U)));  // checksum
    expect_malformed(4, with(kInner, 0, 0x44));  // header length 16
    expect_malformed(4, with(kInner, 0, 0x4f));  // header beyond the packet
    expect_malformed(4, with(kInner, 3, 200));   // total length beyond it
    expect_malformed(4, with(kInner, 3, 19));
    expect_malformed(41, with(kInner6, 5, 200));
    expect_malformed(41, with(kInner6, 5, 0));
    expect_malformed(41, Frame(kInner6.begin(), kInner6.begin() + 39));
    const Decoded cut = decode(kRaw, ipv4(4, kInner), 39);
    CHECK_EQ(cut.count(), 1U);
    CHECK_EQ(cut.counters.inner_truncated, 1U);
    // The header is there, its payload is not.
    const Decoded headers = decode(kRaw, ipv4(4, kInner), 48);
    CHECK_EQ(headers.count(), 2U);
    CHECK(headers.layer(1).truncated);
    CHECK_EQ(headers.layer(1).payload_length, 5U);
}

TEST(tunnel_etherip_and_mpls) {
    expect_inner(ipv4(97, hex("3000") + ethernet(0x0800, kInner)), "etherip:0");
    expect_malformed(97, hex("4000") + ethernet(0x0800, kInner));
    expect_malformed(97, hex("3001") + ethernet(0x0800, kInner));
    CHECK_EQ(
        expect_closed(ipv4(97, hex("3000") + ethernet(0x0806, filled(28)))).counters.inner_not_ip,
        1U);
    expect_inner(ipv4(137, hex("00064040 000c8140") + kInner), "mpls:100 mpls:200");
    CHECK_EQ(expect_closed(ipv4(137, hex("00064140") + filled(40))).counters.inner_not_ip, 1U);
}

TEST(tunnel_teredo) {
    const auto expect_teredo = [](const Frame& payload) {
        for (const Frame& packet :
             {ipv4(17, udp(3544, 50000, payload)), ipv4(17, udp(50000, 3544, payload))}) {
            const Decoded decoded = decode(kRaw, packet);
            CHECK_EQ(decoded.count(), 2U);
            CHECK_EQ(decoded.encaps(1), "teredo:0");
            CHECK_EQ(decoded.layer(1).ip_proto, 17);
            check_every_cut(kRaw, packet);
        }
    };
    const Frame inner = teredo_inner();
    expect_teredo(inner);
    const Frame authentication = hex("0001 0204 1111 22222222 0102030405060708 00");
    const Frame origin = hex("0000 1234 01020304");
    expect_teredo(origin + inner);
    expect_teredo(authentication + inner);
    expect_teredo(authentication + origin + inner);
    // A router solicitation has a link-local source.
    const Frame solicitation = with(with(kInner6, 8, 0xfe), 9, 0x80);
    expect_teredo(solicitation);
    expect_closed(udp_tunnel(3544, kInner6));               // neither Teredo nor link-local
    expect_closed(udp_tunnel(3544, inner + Frame{0}));      // the length does not chain
    expect_closed(udp_tunnel(3544, with(inner, 0, 0x50)));  // version
    expect_closed(udp_tunnel(3545, inner));                 // another port
    expect_closed(udp_tunnel(3544, authentication));
    expect_closed(udp_tunnel(3544, hex("0001 ffff")));
    expect_closed(udp_tunnel(3544, {}));
}

TEST(tunnel_vxlan) {
    const Frame content = ethernet(0x0800, kInner);
    expect_inner(udp_tunnel(4789, hex("08000000 00006400") + content), "vxlan:100");
    expect_inner(udp_tunnel(8472, hex("08000000 00006400") + ethernet(0x86dd, kInner6)),
                 "vxlan:100");
    const Frame header = hex("08000000 00006400");
    for (std::size_t octet : {0U, 1U, 2U, 3U, 7U}) {
        expect_closed(udp_tunnel(4789, with(header, octet, 0x11) + content));
    }
    expect_inner(udp_tunnel(4789, hex("88481234 00006400") + content),
                 "vxlan:100");  // group policy
    expect_closed(udp_tunnel(4789, hex("88801234 00006400") + content));
    expect_closed(udp_tunnel(4789, hex("08001234 00006400") + content));
    expect_closed(udp_tunnel(4790, header + content));
    expect_closed(udp_tunnel(4788, header + content));
    expect_closed(udp_tunnel(4789, header));
    expect_closed(udp_tunnel(4789, header + ethernet(0x0806, filled(28))));
    expect_inner(udp_tunnel(4790, hex("0c000001 00006400") + kInner), "vxlan:100");
    expect_inner(udp_tunnel(4790, hex("0c000002 00006400") + kInner6), "vxlan:100");
    expect_inner(udp_tunnel(4790, hex("0c000003 00006400") + content), "vxlan:100");
    expect_inner(udp_tunnel(4790, hex("0c000005 00006400 00064140") + kInner),
                 "vxlan:100 mpls:100");
    expect_closed(udp_tunnel(4790, hex("0c000004 00006400") + content));
}

TEST(tunnel_has_vlans_of_its_own) {
    const Frame inner = hex("020000000004 020000000003 8100 0007 0800") + kInner;
    const Frame packet = udp_tunnel(4789, hex("08000000 00006400") + inner);
    const Decoded decoded = decode(kEthernet, ethernet(0x8100, hex("0005 0800") + packet));
    CHECK_EQ(decoded.count(), 2U);
    CHECK_EQ(decoded.layer(0).vlan, 5);
    CHECK_EQ(decoded.encaps(0), "vlan:5");
    CHECK_EQ(decoded.layer(1).vlan, 7);
    CHECK_EQ(decoded.encaps(1), "vlan:5 vxlan:100 vlan:7");
    const Decoded untagged =
        decode(kEthernet, ethernet(0x8100, hex("0005 0800") + ipv4(4, kInner)));
    CHECK_EQ(untagged.layer(1).vlan, flowclass::packet::kNoVlan);
}

TEST(tunnel_geneve) {
    const Frame content = ethernet(0x0800, kInner);
    expect_inner(udp_tunnel(6081, hex("0000 6558 00006400") + content), "geneve:100");
    expect_inner(udp_tunnel(6081, hex("0240 6558 00006400 0102030405060708") + content),
                 "geneve:100");
    expect_inner(udp_tunnel(6081, hex("0000 0800 00006400") + kInner), "geneve:100");
    expect_inner(udp_tunnel(6081, hex("0000 86dd 00006400") + kInner6), "geneve:100");
    expect_closed(udp_tunnel(6081, hex("4000 6558 00006400") + content));
    expect_closed(udp_tunnel(6081, hex("0001 6558 00006400") + content));
    expect_closed(udp_tunnel(6081, hex("0000 6558 00006401") + content));
    expect_closed(udp_tunnel(6081, hex("0000 1234 00006400") + content));
    expect_closed(udp_tunnel(6081, hex("3f00 6558 00006400") + content));
}

TEST(tunnel_gtp_u) {
    const Frame length = be16(kInner.size());
    expect_inner(udp_tunnel(2152, hex("30ff") + length + hex("00000009") + kInner), "gtp-u:9");
    expect_inner(
        udp_tunnel(2152, hex("32ff") + be16(4 + kInner.size()) + hex("00000009 00010000") + kInner),
        "gtp-u:9");
    // Two extension headers, of one and of two words.
    expect_inner(udp_tunnel(2152,
                            hex("34ff") + be16(16 + kInner.size()) +
                                hex("00000009 00000085 01 1009 c0 02 1122334455 66 00") + kInner),
                 "gtp-u:9");
    expect_closed(udp_tunnel(
        2152, hex("34ff") + be16(8 + kInner.size()) + hex("00000009 00000085 00000000") + kInner));
    expect_closed(udp_tunnel(2152, hex("10ff") + length + hex("00000009") + kInner));
    expect_closed(udp_tunnel(2152, hex("38ff") + length + hex("00000009") + kInner));
    expect_closed(udp_tunnel(2152, hex("50ff") + length + hex("00000009") + kInner));
    expect_closed(udp_tunnel(2152, hex("3001") + length + hex("00000009") + kInner));
    expect_closed(
        udp_tunnel(2152, hex("30ff") + be16(kInner.size() - 1) + hex("00000009") + kInner));
    expect_closed(
        udp_tunnel(2152, hex("30ff") + be16(kInner.size() + 1) + hex("00000009") + kInner));
}

TEST(tunnel_l2tp) {
    const Frame ppp = hex("ff03 0021") + kInner;
    const std::string encaps = "l2tp:" + std::to_string(5U << 16U | 6U);
    expect_inner(udp_tunnel(1701, hex("0002 0005 0006") + ppp), encaps);
    expect_inner(udp_tunnel(1701, hex("4002") + be16(8 + ppp.size()) + hex("0005 0006") + ppp),
                 encaps);
    expect_inner(
        udp_tunnel(
            1701, hex("4b02") + be16(16 + ppp.size()) + hex("0005 0006 0001 0002 0002 aaaa") + ppp),
        encaps);
    expect_closed(udp_tunnel(1701, hex("8002 0005 0006") + ppp));
    expect_closed(udp_tunnel(1701, hex("0003 0005 0006") + ppp));
    expect_closed(udp_tunnel(1701, hex("2002 0005 0006") + ppp));
    expect_closed(udp_tunnel(1701, hex("4002 ffff 0005 0006") + ppp));
    expect_closed(udp_tunnel(1701, hex("4002 0003 0005 0006") + ppp));
    expect_closed(udp_tunnel(1701, hex("0202 0005 0006 ffff") + ppp));
    expect_closed(udp_tunnel(1701, hex("0002 0005 0006 ff03 c021 01010004")));
}

TEST(both_ports_are_tried) {
    // From the VXLAN port to the GTP-U port: what is inside decides.
    const Frame packet =
        ipv4(17, udp(4789, 2152, hex("08000000 00006400") + ethernet(0x0800, kInner)));
    CHECK_EQ(decode(kRaw, packet).encaps(1), "vxlan:100");
}

TEST(tunnels_nest_and_each_has_its_layer) {
    const Frame vxlan = udp_tunnel(4789, hex("08000000 00006400") + ethernet(0x0800, kInner));
    expect_inner(ipv4(47, hex("2000 0800 00000007") + vxlan), "gre:7 vxlan:100", 3);
    const Decoded decoded = decode(kRaw, ipv4(47, hex("2000 0800 00000007") + vxlan));
    CHECK_EQ(decoded.encaps(1), "gre:7");
    CHECK_EQ(decoded.tuple(1), "10.0.0.1:50000 > 10.0.0.2:4789 17");
    CHECK_EQ(decoded.layer(1).payload_length, 8U + 14 + kInner.size());
}

TEST(tunnel_depth_is_capped) {
    Frame packet = kInner;
    for (std::size_t depth = 0; depth < kMaxDepth; ++depth) {
        packet = ipv4(4, packet);
    }
    const Decoded deepest = decode(kRaw, packet);
    CHECK_EQ(deepest.count(), kMaxDepth + 1);
    CHECK_EQ(deepest.tuple(kMaxDepth), kTuple);
    CHECK_EQ(deepest.counters.depth_exceeded, 0U);
    const Decoded deeper = decode(kRaw, ipv4(4, packet));
    CHECK_EQ(deeper.count(), kMaxDepth + 1);
    CHECK_EQ(deeper.layer(kMaxDepth).ip_proto, 4);
    CHECK_EQ(deeper.layer(kMaxDepth).encap_count, kMaxDepth);
    CHECK_EQ(deeper.counters.depth_exceeded, 1U);
    CHECK_EQ(decode(kRaw, ipv4(4, ipv4(4, packet))).counters.depth_exceeded, 1U);
}

TEST(first_fragments_show_what_they_carry) {
    const Frame whole = ipv4(17, udp(7, 8, filled(600)));
    const Frame start(whole.begin(), whole.begin() + 200);
    const Decoded decoded = decode(kRaw, ipv4(4, start, 0x2000));
    CHECK_EQ(decoded.count(), 2U);
    CHECK_EQ(decoded.tuple(1), kTuple);
    CHECK_EQ(decoded.layer(1).payload_length, 600U);
    CHECK(decoded.layer(1).truncated);
    // Without the fragment the length contradicts itself; a later fragment shows nothing.
    CHECK_EQ(decode(kRaw, ipv4(4, start)).count(), 1U);
    CHECK_EQ(decode(kRaw, ipv4(4, kInner, 9)).count(), 1U);
    const Frame vxlan = udp(50000, 4789, hex("08000000 00006400") + ethernet(0x0800, whole));
    const Decoded overlay =
        decode(kRaw, ipv4(17, Frame(vxlan.begin(), vxlan.begin() + 200), 0x2000));
    CHECK_EQ(overlay.count(), 2U);
    CHECK_EQ(overlay.encaps(1), "vxlan:100");
}

TEST(tunnels_can_be_left_closed) {
    Decoder decoder(DecodeOptions{.fragment_entries = 1, .tunnels = false});
    CHECK_EQ(decode_with(decoder, kRaw, ipv4(4, kInner)).count(), 1U);
}
