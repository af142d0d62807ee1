// Every link type and every header between a link and IP.
#include <array>

#include "decode_frames.hpp"

using namespace frames;

namespace {

const Frame kPacket = ipv4(17, udp(7, 8, filled(5)));
const Frame kPacket6 = ipv6(17, udp(7, 8, filled(5)));
const std::string kTuple = "10.0.0.1:7 > 10.0.0.2:8 17";
const std::string kTuple6 = "2001:db8::1:7 > 2001:db8::2:8 17";
const Frame kSnap = hex("aaaa03 000000 0800");

// The frame holds kPacket behind `encaps`, at whatever length it is cut.
void expect(std::uint32_t link_type, const Frame& frame, const std::string& encaps = "") {
    const Decoded decoded = decode(link_type, frame);
    CHECK_EQ(decoded.skip(), "none");
    CHECK_EQ(decoded.count(), 1U);
    if (decoded.count() == 1) {
        CHECK_EQ(decoded.tuple(0), decoded.layer(0).src.version == 4 ? kTuple : kTuple6);
        CHECK_EQ(decoded.encaps(0), encaps);
        CHECK_EQ(decoded.layer(0).payload.size(), 5U);
        CHECK_EQ(decoded.layer(0).packet, 3);
        check_every_cut(link_type, frame);
    }
}

void expect_skip(std::uint32_t link_type, const Frame& frame, const std::string& reason) {
    const Decoded decoded = decode(link_type, frame);
    CHECK_EQ(decoded.skip(), reason);
    CHECK_EQ(decoded.count(), 0U);
}

}  // namespace

TEST(link_ethernet) {
    expect(1, ethernet(0x0800, kPacket));
    expect(1, ethernet(0x86dd, kPacket6));
    expect_skip(1, ethernet(0x0806, filled(28)), "ethertype_0x0806");
    expect_skip(1, ethernet(0x88cc, filled(28)), "ethertype_0x88cc");
    expect_skip(1, hex("0102"), "malformed");
    expect_skip(1, ethernet(0x0800, {}), "malformed");
    expect_skip(1, ethernet(0x0800, kPacket6), "malformed");
    expect_skip(1, ethernet(0x86dd, kPacket + filled(60)), "malformed");
}

TEST(link_ethernet_padding_is_not_payload) {
    const Decoded decoded = decode(1, ethernet(0x0800, kPacket + Frame(13, 0)));
    CHECK_EQ(decoded.layer(0).ip_length, 33U);
    CHECK_EQ(decoded.layer(0).payload_length, 5U);
    CHECK_EQ(decoded.layer(0).payload.size(), 5U);
    CHECK(!decoded.layer(0).truncated);
}

TEST(link_vlan_stacks) {
    expect(1, ethernet(0x8100, hex("6005 0800") + kPacket), "vlan:5");
    expect(1, ethernet(0x88a8, hex("0064 8100 00c8 86dd") + kPacket6), "vlan:100 vlan:200");
    expect(1, ethernet(0x9100, hex("0064 0800") + kPacket), "vlan:100");
    const Decoded two = decode(1, ethernet(0x88a8, hex("0064 8100 00c8 0800") + kPacket));
    CHECK_EQ(two.layer(0).vlan, 100);
    CHECK_EQ(two.layer(0).inner_vlan, 200);
    const Decoded none = decode(1, ethernet(0x0800, kPacket));
    CHECK_EQ(none.layer(0).vlan, flowclass::packet::kNoVlan);
    // Identifier 0 is a priority tag, no VLAN.
    const Decoded priority = decode(1, ethernet(0x8100, hex("e000 8100 0007 0800") + kPacket));
    CHECK_EQ(priority.layer(0).vlan, 7);
    CHECK_EQ(priority.layer(0).inner_vlan, flowclass::packet::kNoVlan);
    CHECK_EQ(priority.encaps(0), "vlan:7");
    // A tag in front of an IEEE 802.3 length.
    expect(1, ethernet(0x8100, hex("0005") + be16(8 + kPacket.size()) + kSnap + kPacket), "vlan:5");
    expect_skip(1, ethernet(0x8100, hex("0005 88cc") + filled(9)), "ethertype_0x88cc");
}

TEST(link_deep_stacks_are_bounded) {
    Frame tags;
    for (int count = 0; count < 20; ++count) {
        tags = tags + hex("0005 8100");
    }
    const Decoded decoded = decode(1, ethernet(0x8100, tags + hex("0006 0800") + kPacket));
    CHECK_EQ(decoded.count(), 1U);
    CHECK_EQ(decoded.layer(0).encap_count, flowclass::packet::kMaxEncaps);
    CHECK_EQ(decoded.counters.encaps_unrecorded, 21 - flowclass::packet::kMaxEncaps);
    for (int count = 0; count < 60; ++count) {
        tags = tags + hex("0005 8100");
    }
    expect_skip(1, ethernet(0x8100, tags + hex("0006 0800") + kPacket), "malformed");
}

TEST(link_mpls) {
    expect(1, ethernet(0x8847, hex("00064140") + kPacket), "mpls:100");
    expect(1, ethernet(0x8848, hex("00064040 000c8140") + kPacket6), "mpls:100 mpls:200");
    // A pseudowire: with and without control word, and with a MAC address that looks like IPv4.
    expect(1, ethernet(0x8847, hex("00064140 00000000") + ethernet(0x0800, kPacket)), "mpls:100");
    expect(1, ethernet(0x8847, hex("00064140") + ethernet(0x0800, kPacket)), "mpls:100");
    expect(
        1, ethernet(0x8847, hex("00064140 450000000002 020000000001 0800") + kPacket), "mpls:100");
    expect_skip(1, ethernet(0x8847, hex("00064140") + filled(40)), "ethertype_0x8847");
    // An IP length beyond the frame: the packet lies about its length, but is IP.
    const Decoded beyond = decode(
        1,
        ethernet(0x8847,
                 hex("00064140 4500 0fff 1234 0000 4011 0000 0a000001 0a000002") + filled(9)));
    CHECK_EQ(beyond.count(), 1U);
    CHECK_EQ(beyond.counters.ip_length_beyond_frame, 1U);
}

TEST(link_pppoe) {
    const Frame header = hex("1100 0009") + be16(2 + kPacket.size());
    expect(1, ethernet(0x8864, header + hex("0021") + kPacket), "pppoe:9");
    expect(1, ethernet(0x8864, header + hex("0021") + kPacket + Frame(6, 0)), "pppoe:9");
    expect_skip(1, ethernet(0x8864, hex("1100 0009 0006 c021 01010004")), "ppp_protocol_0xc021");
    expect_skip(1, ethernet(0x8864, hex("2100 0009 0006 0021 01010004")), "malformed");
    expect_skip(1, ethernet(0x8863, hex("1109 0000 0004 01010000")), "ethertype_0x8863");
}

// Version and length, option type, security group tag; the tag is taken off and leaves no trace.
TEST(link_cisco_metadata) {
    const Frame tag = hex("0101 0001 0002");
    expect(1, ethernet(0x8909, tag + hex("0800") + kPacket));
    expect(1, ethernet(0x8909, tag + hex("86dd") + kPacket6));
    expect(1, ethernet(0x8909, tag + hex("0800") + kPacket + Frame(7, 0)));
    expect(1, ethernet(0x8100, hex("0005 8909") + tag + hex("0800") + kPacket), "vlan:5");
    expect(1, ethernet(0x8909, tag + hex("8100 0005 0800") + kPacket), "vlan:5");
    expect(1, ethernet(0x8909, tag + be16(8 + kPacket.size()) + kSnap + kPacket));
    expect(1, ethernet(0x8909, hex("0101 0001 0000 0800") + kPacket));
    expect(1,
           ethernet(0x8847, hex("00064140") + ethernet(0x8909, tag + hex("0800") + kPacket)),
           "mpls:100");
}

TEST(link_cisco_metadata_unknown_or_hostile) {
    // Another version, another length, an option with a length, another option, no tag.
    for (const char* header : {"0201 0001 0002",
                               "0001 0001 0002",
                               "0100 0001 0002",
                               "0102 0001 0002",
                               "01ff 0001 0002",
                               "0101 2001 0002",
                               "0101 e001 0002",
                               "0101 0002 0002",
                               "0101 0000 0002",
                               "0101 0001 ffff"}) {
        expect_skip(1, ethernet(0x8909, hex(header) + hex("0800") + kPacket), "ethertype_0x8909");
    }
    expect_skip(1, ethernet(0x8909, {}), "malformed");
    expect_skip(1, ethernet(0x8909, hex("0101 0001 0002 08")), "malformed");
    expect_skip(1, ethernet(0x8909, hex("0101 0001 0002 0800")), "malformed");
    expect_skip(1, ethernet(0x8909, hex("0101 0001 0002 0806") + filled(28)), "ethertype_0x0806");
    expect_skip(1, ethernet(0x8909, hex("0101 0001 0002 0002") + kSnap + kPacket), "malformed");
    // Tags in tags end somewhere.
    Frame tags;
    for (int count = 0; count < 63; ++count) {
        tags = tags + hex("0101 0001 0002 8909");
    }
    expect_skip(1, ethernet(0x8909, tags + hex("0101 0001 0002 0800") + kPacket), "malformed");
    const Frame few(tags.begin(), tags.begin() + long{8} * 9);
    expect(1, ethernet(0x8909, few + hex("0101 0001 0002 0800") + kPacket));
}

TEST(link_llc) {
    expect(1, ethernet(8 + kPacket.size(), kSnap + kPacket));
    expect(1, ethernet(8 + kPacket.size(), kSnap + kPacket + Frame(9, 0)));
    expect(1, ethernet(3 + kPacket.size(), hex("060603") + kPacket));
    expect_skip(1, ethernet(38, hex("424203") + filled(35)), "llc_0x4242");
    expect_skip(1, ethernet(38, hex("aaaa03 00000c 2000") + filled(30)), "llc_0xaaaa");
    expect_skip(1, ethernet(38, hex("aaaa03 000000 809b") + filled(30)), "ethertype_0x809b");
    // A length field that covers less than the LLC header.
    expect_skip(1, ethernet(2, kSnap + kPacket), "malformed");
}

TEST(link_raw) {
    for (const std::uint32_t link_type : {101U, 12U, 14U}) {
        expect(link_type, kPacket);
        expect(link_type, kPacket6);
        expect_skip(link_type, hex("55000000"), "malformed");
        expect_skip(link_type, {}, "malformed");
    }
    expect(228, kPacket);
    expect(229, kPacket6);
    expect_skip(228, kPacket6, "malformed");
    expect_skip(229, kPacket + filled(60), "malformed");
}

TEST(link_null_and_loop) {
    for (const std::uint32_t link_type : {0U, 108U}) {
        expect(link_type, hex("02000000") + kPacket);
        expect(link_type, hex("00000002") + kPacket);
        for (const char* family : {"18000000", "1c000000", "1e000000", "0a000000", "0000001e"}) {
            expect(link_type, hex(family) + kPacket6);
        }
        expect_skip(link_type, hex("07000000") + kPacket, "address_family_7");
        expect_skip(link_type, hex("0000"), "malformed");
    }
}

TEST(link_cooked) {
    expect(113, hex("0000 0001 0006 0200000000010000 0800") + kPacket);
    expect(113, hex("0004 0304 0006 0200000000010000 86dd") + kPacket6);
    expect(113, hex("0000 0001 0006 0200000000010000 8100 0005 0800") + kPacket, "vlan:5");
    expect_skip(113, hex("0000 0001 0006 0200000000010000 0806") + filled(9), "ethertype_0x0806");
    expect_skip(113, hex("0000 0001 0006 0200000000010000 0004 424203") + filled(9), "llc_0x4242");
    expect(276, hex("0800 0000 00000002 0001 00 06 0200000000010000") + kPacket);
    expect(276, hex("86dd 0000 00000002 0001 00 06 0200000000010000") + kPacket6);
    expect_skip(276, hex("0806 0000 00000002 0001 00 06 0200000000010000"), "ethertype_0x0806");
}

TEST(link_ppp) {
    for (const std::uint32_t link_type : {9U, 50U}) {
        expect(link_type, hex("ff03 0021") + kPacket);
        expect(link_type, hex("0021") + kPacket);
        expect(link_type, hex("21") + kPacket);
        expect(link_type, hex("ff03 57") + kPacket6);
        expect(link_type, hex("ff03 0281 00064140") + kPacket, "mpls:100");
        expect(link_type, hex("0f00 0800") + kPacket);
        expect_skip(link_type, hex("ff03 8021 01010004"), "ppp_protocol_0x8021");
        expect_skip(link_type, hex("ff03 fd") + filled(9), "ppp_protocol_0x00fd");
        expect_skip(link_type, hex("ff"), "malformed");
        expect_skip(link_type, hex("ff03 00"), "malformed");
    }
    expect(104, hex("0f00 0800") + kPacket);
    expect(104, hex("8f00 86dd") + kPacket6);
    expect_skip(104, hex("8f00 8035") + filled(14), "ethertype_0x8035");
}

TEST(link_wireless_data) {
    const Frame addresses = hex("020000000001 020000000002 020000000003 1000");
    const Frame plain = hex("0801 0000") + addresses + kSnap + kPacket;
    expect(105, plain);
    expect(105, hex("8802 0000") + addresses + hex("0000") + kSnap + kPacket);
    expect(105, hex("8882 0000") + addresses + hex("0000 00000000") + kSnap + kPacket);
    expect(105, hex("0803 0000") + addresses + hex("020000000004") + kSnap + kPacket);
    expect_skip(
        105, hex("8841 0000") + addresses + hex("0000") + filled(40), "ieee802_11_frame_0x0128");
    expect_skip(
        105, hex("8802 0000") + addresses + hex("8000") + filled(40), "ieee802_11_frame_0x0228");
    expect_skip(
        105,
        hex("0801 0000") + hex("020000000001 020000000002 020000000003 1100") + kSnap + kPacket,
        "ieee802_11_frame_0x0420");
    expect_skip(105, hex("4801 0000") + addresses, "ieee802_11_frame_0x0024");
    expect_skip(105, hex("8000 0000") + addresses, "ieee802_11_frame_0x0008");
    expect_skip(105, hex("d400 0000 020000000001"), "ieee802_11_frame_0x001d");
    expect_skip(105, hex("0901 0000") + addresses + kSnap + kPacket, "malformed");
}

TEST(link_radiotap_and_ppi) {
    const Frame addresses = hex("020000000001 020000000002 020000000003 1000");
    const Frame plain = hex("0801 0000") + addresses + kSnap + kPacket;
    expect(127, hex("0000 0800 00000000") + plain);
    // The flags field, behind the clock and a second presence word: a checksum follows the frame.
    expect(127,
           hex("0000 1900 03000080 00000000 00000000 0102030405060708 10") + plain + filled(4));
    // Padding between the header and the payload: 26 octets become 28.
    expect(127,
           hex("0000 0900 02000000 20") + hex("8802 0000") + addresses + hex("0000 0000") + kSnap +
               kPacket);
    expect_skip(127, hex("0100 0800 00000000") + plain, "malformed");
    expect_skip(127, hex("0000 0700 00000000") + plain, "malformed");
    expect_skip(127, hex("0000 ff00 00000000") + plain, "malformed");
    expect(192, hex("0000 0800 69000000") + plain);
    expect(192, hex("0000 0c00 01000000 00000000") + ethernet(0x0800, kPacket));
    expect_skip(192, hex("0000 0800 c0000000") + plain, "link_type_192");
    expect_skip(192, hex("0000 0400 01000000") + plain, "malformed");
}

TEST(link_nflog) {
    const Frame little = hex("0800 0100 08000100") + hex("0500 0a00 41000000");
    const Frame length = Frame{static_cast<std::uint8_t>(4 + kPacket.size()), 0};
    expect(239, hex("02 00 0000") + little + length + hex("0900") + kPacket);
    expect(239,
           hex("02 00 0000 0008 0001 08000100") + be16(4 + kPacket.size()) + hex("0009") + kPacket);
    expect(239,
           hex("0a 00 0000") + Frame{static_cast<std::uint8_t>(4 + kPacket6.size()), 0, 9, 0} +
               kPacket6);
    expect_skip(
        239, hex("07 00 0000") + little + length + hex("0900") + kPacket, "address_family_7");
    expect_skip(239, hex("02 01 0000") + little, "malformed");
    expect_skip(239, hex("02 00 0000") + little, "malformed");
    expect_skip(239, hex("02 00 0000 0300 0100"), "malformed");
}

TEST(link_unknown_type_is_named) {
    expect_skip(147, kPacket, "link_type_147");
}

TEST(link_wire_length_below_captured_is_raised) {
    Frame frame = ethernet(0x0800, kPacket);
    flowclass::decode::Decoder decoder(flowclass::decode::DecodeOptions{.fragment_entries = 1});
    flowclass::packet::LayerBuffer out;
    flowclass::packet::PacketView view;
    view.bytes = frame;
    view.wire_length = 3;
    view.link_type = 1;
    CHECK(decoder.decode(view, 0, out).kind == flowclass::packet::SkipKind::none);
    CHECK_EQ(out.layers[0].payload_length, 5U);
}
