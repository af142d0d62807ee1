// A ClientHello over TCP: the first handshake message of the stream, in one record or several
// (RFC 8446 §5.1, RFC 5246 §6.2.1).
//
// Record: u8 22 | 03 00-04 | u16 length | fragment. Message: u8 1 | u24 length | body.
#include <algorithm>

#include "hello/assembly.hpp"
#include "hello/parse.hpp"

namespace flowclass::hello {

namespace {

constexpr std::uint32_t kMostFragment = 16384;

struct Record {
    std::uint16_t version = 0;
    std::uint16_t length = 0;
    Bytes kept;  // of its fragment
    bool ok = false;
};

Record next_record(ByteReader& reader) noexcept {
    Record record;
    const std::uint8_t type = reader.u8();
    record.version = reader.be16();
    record.length = reader.be16();
    record.ok = reader.ok() && type == 22 && record.version >= 0x0300 && record.version <= 0x0304 &&
                record.length > 0 && record.length <= kMostFragment;
    record.kept = reader.bytes(std::min<std::size_t>(record.length, reader.remaining()));
    return record;
}

// Length of the message with its header; 0 when it is none that can be read.
std::size_t message_length(Bytes begin) noexcept {
    ByteReader reader(begin);
    const std::uint8_t type = reader.u8();
    const std::size_t length = kHandshakeHeader + reader.be24();
    return reader.ok() && type == kClientHello && length <= kMaxHello ? length : 0;
}

// The message from records that each hold a part of it; false when it is not whole.
bool assemble(ByteReader reader, ClientHello& out, std::size_t& end_of_record) noexcept {
    Assembly assembly(out.body);
    std::size_t length = 0;
    for (std::size_t have = 0; length == 0 || have < length;) {
        const Record record = next_record(reader);
        if (!record.ok || record.kept.empty() || have >= kMaxHello) {
            return false;
        }
        const std::size_t offset = reader.position() - record.kept.size();
        add_piece(out,
                  {static_cast<std::uint16_t>(have),
                   static_cast<std::uint16_t>(record.kept.size()),
                   0,
                   static_cast<std::uint16_t>(offset)});
        static_cast<void>(assembly.place(have, record.kept));
        end_of_record = have + record.length;
        have += record.kept.size();
        if (length == 0 && have >= kHandshakeHeader) {
            length = message_length(out.body);
            if (length == 0) {
                return false;
            }
        }
        if (record.kept.size() < record.length && have < length) {
            return false;
        }
    }
    out.message = Bytes(out.body).first(length);
    return true;
}

}  // namespace

bool read_tls(const FlowHead& head, Direction direction, ClientHello& out) noexcept {
    out.carrier = Carrier::tls;
    out.direction = direction;
    out.quic_version = 0;
    out.piece_count = 0;
    const Bytes stream = head.stream(direction);
    ByteReader reader(stream);
    const Record first = next_record(reader);
    if (!first.ok) {
        return false;
    }
    out.record_version = first.version;
    std::size_t end_of_record = first.length;
    const std::size_t length = message_length(first.kept);
    if (length > 0 && length <= first.kept.size()) {
        out.message = first.kept.first(length);
        const std::size_t offset = reader.position() - first.kept.size();
        add_piece(out,
                  {0, static_cast<std::uint16_t>(length), 0, static_cast<std::uint16_t>(offset)});
    } else if (!assemble(ByteReader(stream), out, end_of_record)) {
        return false;
    }
    // A stream that was caught in the middle may look so by chance: then the hello must also end
    // where a record does, as all hellos do.
    if (!head.from_stream_start[head::index_of(direction)] && end_of_record != out.message.size()) {
        return false;
    }
    const std::size_t entry = head.entry_at(direction, 0);
    out.entry = static_cast<std::uint16_t>(entry < head::kMaxEntries ? entry : 0);
    return parse_body(out.message.subspan(kHandshakeHeader), out);
}

}  // namespace flowclass::hello
