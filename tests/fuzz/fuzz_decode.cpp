// Fuzz target of the decode room. The input is a series of frames; each begins with one octet that
// chooses the link type, one that says how much longer the wire was than the capture, and two for
// the captured length. Several frames in one run reach the fragment table. Every layer must keep
// the promises of packet/decoded_packet.hpp; a broken one aborts.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "base/byte_reader.hpp"
#include "decode/decode.hpp"

namespace {

using flowclass::base::Bytes;
using flowclass::decode::Decoder;
using flowclass::packet::FlowLayer;
using flowclass::packet::kMaxDepth;
using flowclass::packet::kMaxEncaps;
using flowclass::packet::LayerBuffer;
using flowclass::packet::PacketView;
using flowclass::packet::SkipKind;

constexpr std::array<std::uint32_t, 20> kLinkTypes{
    1, 0, 9, 12, 14, 50, 101, 104, 105, 108, 113, 127, 192, 228, 229, 239, 276, 1, 1, 147};

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

bool lies_in(Bytes part, Bytes frame) {
    const std::less_equal<const std::uint8_t*> not_after;
    return part.empty() || (not_after(frame.data(), part.data()) &&
                            not_after(part.data() + part.size(), frame.data() + frame.size()));
}

void check_layer(const LayerBuffer& out, std::size_t index, const PacketView& view) {
    const FlowLayer& layer = out.layers[index];
    require(lies_in(layer.payload, view.bytes));
    require(layer.payload.size() <= layer.payload_length);
    require(layer.payload_length <= layer.datagram_length);
    require(layer.payload_length <= layer.ip_length);
    require(layer.truncated || layer.payload.size() == layer.payload_length);
    require(layer.src.version == layer.dst.version);
    require(layer.src.version == 4 || layer.src.version == 6);
    require(layer.parent == static_cast<int>(index) - 1);
    require(layer.packet == 7);
    require(layer.encap_count <= kMaxEncaps);
    require(std::size_t{layer.encap_first} + layer.encap_count <= out.encap_count);
    require(layer.has_ports || (layer.src_port == 0 && layer.dst_port == 0));
    require(layer.tcp_flags <= 0xfff);
    if (index > 0) {
        require(layer.encap_count >= out.layers[index - 1].encap_count);
    }
}

void check_frame(Decoder& decoder, const PacketView& view, LayerBuffer& out) {
    out.clear();
    const auto reason = decoder.decode(view, 7, out);
    require((reason.kind == SkipKind::none) == (out.layer_count > 0));
    require(out.layer_count <= kMaxDepth + 1);
    for (std::size_t index = 0; index < out.layer_count; ++index) {
        check_layer(out, index, view);
    }
}

// Each frame is counted by exactly one of two shards.
void check_shards(std::array<Decoder, 2>& shards, const PacketView& view, LayerBuffer& out) {
    int owners = 0;
    for (Decoder& shard : shards) {
        out.clear();
        owners += shard.decode(view, 0, out).kind == SkipKind::other_shard ? 0 : 1;
    }
    require(owners == 1);
}

flowclass::decode::DecodeOptions options(std::uint32_t shard, std::uint32_t shard_count) {
    flowclass::decode::DecodeOptions result;
    result.fragment_entries = 8;
    result.shard = shard;
    result.shard_count = shard_count;
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto out = std::make_unique<LayerBuffer>();
    Decoder decoder(options(0, 1));
    std::array<Decoder, 2> shards{Decoder(options(0, 2)), Decoder(options(1, 2))};
    flowclass::base::ByteReader reader(Bytes(data, size));
    PacketView view;
    while (reader.remaining() >= 4) {
        view.link_type = kLinkTypes[reader.u8() % kLinkTypes.size()];
        const std::uint32_t longer = reader.u8();
        const std::size_t length = reader.be16();
        const Bytes part = reader.bytes(std::min(length, reader.remaining()));
        const std::vector<std::uint8_t> frame(part.begin(),
                                              part.end());  // its own block: over-reads show
        view.bytes = frame;
        view.wire_length = static_cast<std::uint32_t>(frame.size()) + longer * longer;
        view.time += longer * flowclass::base::kSecond / 4;
        ++view.frame;
        check_frame(decoder, view, *out);
        check_shards(shards, view, *out);
    }
    return 0;
}
