// A ClientHello in QUIC: the CRYPTO frames of a client's Initials (RFC 9000 §17.2.2, §19.6), in any
// order, over several packets and datagrams.
//
// The keys come from the destination id of the client's first Initial and stay, whatever id it
// writes to later; a Retry or another version gives new ones (RFC 9001 §5.2).
#include <algorithm>
#include <array>

#include "hello/assembly.hpp"
#include "hello/parse.hpp"
#include "hello/quic_initial.hpp"

namespace flowclass::hello {

namespace {

constexpr std::uint32_t kLeastDatagram = 1200;  // with a client's Initial: RFC 9000 §14.1
constexpr std::size_t kMostFailures = 4;        // packets of one direction that do not open
constexpr std::size_t kMostPackets = 4;         // that are looked at in one datagram

void skip_varints(ByteReader& reader, std::uint64_t count) noexcept {
    for (; count > 0 && reader.ok(); --count) {
        static_cast<void>(read_varint(reader));
    }
}

// RFC 9000 §19.3.
void skip_ack(ByteReader& reader, bool counts) noexcept {
    skip_varints(reader, 2);
    const std::uint64_t ranges = read_varint(reader);
    skip_varints(reader, 1);
    skip_varints(reader, std::min<std::uint64_t>(ranges, kMaxHello) * 2);
    skip_varints(reader, counts ? 3 : 0);
}

void skip_padding(ByteReader& reader) noexcept {
    const Bytes rest = reader.rest();
    std::size_t zeros = 0;
    for (ByteReader words(rest); words.remaining() >= 8 && words.be64() == 0;) {
        zeros += 8;
    }
    while (zeros < rest.size() && rest[zeros] == 0) {
        ++zeros;
    }
    reader.skip(zeros);
}

// Every frame that an Initial may have; false when there is another one, or a contradiction.
bool add_frames(Bytes frames, Assembly& assembly) noexcept {
    ByteReader reader(frames);
    while (reader.remaining() > 0) {
        const std::uint64_t type = read_varint(reader);
        if (type == 0) {
            skip_padding(reader);
        } else if (type == 2 || type == 3) {
            skip_ack(reader, type == 3);
        } else if (type == 6) {
            const std::uint64_t offset = read_varint(reader);
            const std::uint64_t length = read_varint(reader);
            const Bytes octets =
                reader.bytes(length > frames.size() ? SIZE_MAX : static_cast<std::size_t>(length));
            if (!reader.ok() || !assembly.place(offset, octets)) {
                return false;
            }
        } else if (type == 0x1c) {
            skip_varints(reader, 2);
            const std::uint64_t reason = read_varint(reader);
            reader.skip(reason > frames.size() ? SIZE_MAX : static_cast<std::size_t>(reason));
        } else if (type != 1) {
            return false;
        }
    }
    return reader.ok();
}

// One direction's Initials, read one after another.
class Initials {
  public:
    explicit Initials(ClientHello& out) noexcept : out_(out), assembly_(out.body) {}

    // True when the hello is whole.
    bool add(const head::Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        for (std::size_t count = 0; count < kMostPackets && reader.remaining() > 0; ++count) {
            const std::size_t offset = reader.position();
            LongPacket packet;
            if (!next_packet(reader, packet)) {
                return false;
            }
            if (!packet.is_initial) {
                continue;
            }
            const Bytes frames = open(packet);
            if (frames.empty()) {
                continue;
            }
            add_piece(out_,
                      {0,
                       static_cast<std::uint16_t>(packet.octets.size()),
                       static_cast<std::uint16_t>(payload.entry),
                       static_cast<std::uint16_t>(offset)});
            broken_ = !add_frames(frames, assembly_);
            if (broken_) {
                return false;
            }
            if (is_whole()) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] Bytes message() const noexcept { return assembly_.whole().first(length_); }
    [[nodiscard]] std::uint32_t version() const noexcept { return version_; }
    // It will not be whole, whatever comes.
    [[nodiscard]] bool is_lost() const noexcept { return broken_ || failures_ >= kMostFailures; }

  private:
    // With the keys there are; else with the packet's own, which then stay.
    Bytes open(const LongPacket& packet) noexcept {
        Bytes frames;
        if (version_ == packet.version) {
            frames = keys_.open(packet, text_);
        }
        const bool known = version_ == packet.version && same(packet.destination, destination_);
        InitialKeys own;
        if (frames.empty() && !known && own.derive(packet.version, packet.destination)) {
            frames = own.open(packet, text_);
            if (!frames.empty()) {
                keys_ = own;
                version_ = packet.version;
                destination_ = packet.destination;
                assembly_.clear();
                out_.piece_count = 0;
            }
        }
        failures_ += frames.empty() ? 1U : 0U;
        return frames;
    }

    static bool same(Bytes left, Bytes right) noexcept {
        return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin());
    }

    bool is_whole() noexcept {
        const Bytes whole = assembly_.whole();
        ByteReader reader(whole);
        const bool hello = reader.u8() == kClientHello;
        length_ = kHandshakeHeader + reader.be24();
        return reader.ok() && hello && length_ <= whole.size();
    }

    ClientHello& out_;
    Assembly assembly_;
    InitialKeys keys_;
    Bytes destination_;
    std::uint32_t version_ = 0;  // 0: no keys yet
    std::size_t failures_ = 0;
    bool broken_ = false;
    std::size_t length_ = 0;
    std::array<std::uint8_t, kMaxHello> text_;
};

}  // namespace

bool read_quic(const FlowHead& head, Direction direction, ClientHello& out) noexcept {
    const std::size_t first = head.next(direction);
    if (first == head::kMaxEntries || !crypto::libcrypto_available()) {
        return false;
    }
    out.carrier = Carrier::quic;
    out.direction = direction;
    out.record_version = 0;
    out.piece_count = 0;
    Initials initials(out);
    for (std::size_t entry = first; entry < head.entry_count && !initials.is_lost();
         entry = head.next(direction, entry + 1)) {
        const head::Payload payload = head.payload(entry);
        if (payload.length < kLeastDatagram || !initials.add(payload)) {
            continue;
        }
        out.quic_version = initials.version();
        out.entry = out.pieces[0].entry;
        out.message = initials.message();
        return parse_body(out.message.subspan(kHandshakeHeader), out);
    }
    return false;
}

}  // namespace flowclass::hello
