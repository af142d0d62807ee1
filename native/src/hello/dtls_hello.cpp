// A ClientHello over DTLS (RFC 6347 §4, RFC 9147 §5): fragments in clear records of one direction's
// datagrams, in any order.
//
// Record: u8 22 | version | u16 epoch 0 | u48 sequence | u16 length | fragments ...
// Fragment: u8 1 | u24 length | u16 message | u24 offset | u24 fragment length | octets
//
// A server may ask for the hello again with a cookie: the first and the second then say the same,
// and the one with the cookie is taken. Record version 0x0100 is the dialect of OpenSSL before
// 0.9.8f, with the same layout.
#include <algorithm>
#include <array>

#include "hello/assembly.hpp"
#include "hello/parse.hpp"

namespace flowclass::hello {

namespace {

constexpr std::size_t kMostFragments = 32;

struct Fragment {
    Bytes octets;
    std::uint32_t length = 0;  // of the message
    std::uint32_t offset = 0;  // in it
    std::uint16_t message = 0;
    std::uint16_t record_version = 0;
    std::uint16_t entry = 0;
    std::uint16_t place = 0;  // of the octets in the payload
};

// Of client hellos, in order of arrival.
class Fragments {
  public:
    void add(const Fragment& fragment) noexcept {
        if (count_ < kMostFragments) {
            fragments_[count_++] = fragment;
        }
    }
    [[nodiscard]] std::span<const Fragment> all() const noexcept {
        return std::span(fragments_).first(count_);
    }

  private:
    std::array<Fragment, kMostFragments> fragments_;
    std::size_t count_ = 0;
};

// The fragments in one record; `base` is where the record's body lies in the payload.
void collect_from_record(ByteReader reader,
                         std::size_t base,
                         Fragment found,
                         Fragments& out) noexcept {
    while (reader.remaining() > 0) {
        const std::uint8_t type = reader.u8();
        found.length = reader.be24();
        found.message = reader.be16();
        found.offset = reader.be24();
        const std::uint32_t length = reader.be24();
        found.place = static_cast<std::uint16_t>(base + reader.position());
        found.octets = reader.bytes(length);
        if (!reader.ok()) {
            return;
        }
        if (type == kClientHello && found.length <= kMaxHello &&
            found.offset + found.octets.size() <= found.length) {
            out.add(found);
        }
    }
}

void collect_from_datagram(const head::Payload& payload, Fragments& out) noexcept {
    ByteReader reader(payload.bytes);
    while (reader.remaining() > 0) {
        const std::uint8_t type = reader.u8();
        Fragment found;
        found.record_version = reader.be16();
        const std::uint16_t epoch = reader.be16();
        reader.skip(6);
        const std::uint16_t length = reader.be16();
        const std::size_t base = reader.position();
        const Bytes body = reader.bytes(length);
        const bool known = found.record_version == 0xfeff || found.record_version == 0xfefd ||
                           found.record_version == 0x0100;
        if (!reader.ok() || !known) {
            return;
        }
        if (type == 22 && epoch == 0) {
            found.entry = static_cast<std::uint16_t>(payload.entry);
            collect_from_record(ByteReader(body), base, found, out);
        }
    }
}

// One message: whole in one fragment, or put together.
bool read_message(std::span<const Fragment> all, std::uint16_t message, ClientHello& out) noexcept {
    out.piece_count = 0;
    Assembly assembly(out.body);
    const Fragment* first = nullptr;
    for (const Fragment& fragment : all) {
        if (fragment.message != message) {
            continue;
        }
        if (first == nullptr) {
            first = &fragment;
            out.entry = fragment.entry;
            out.record_version = fragment.record_version;
        }
        const Piece piece{static_cast<std::uint16_t>(fragment.offset),
                          static_cast<std::uint16_t>(fragment.octets.size()),
                          fragment.entry,
                          fragment.place};
        if (fragment.octets.size() == fragment.length) {
            out.piece_count = 0;
            add_piece(out, piece);
            out.message = fragment.octets;
            out.entry = fragment.entry;
            return parse_body(out.message, out);
        }
        add_piece(out, piece);
        if (fragment.length != first->length || !assembly.place(fragment.offset, fragment.octets)) {
            return false;
        }
    }
    if (first == nullptr || assembly.whole().size() < first->length) {
        return false;
    }
    out.message = Bytes(out.body).first(first->length);
    return parse_body(out.message, out);
}

}  // namespace

bool read_dtls(const FlowHead& head, Direction direction, ClientHello& out) noexcept {
    Fragments fragments;
    for (std::size_t entry = head.next(direction); entry < head.entry_count;
         entry = head.next(direction, entry + 1)) {
        const head::Payload payload = head.payload(entry);
        if (!payload.bytes.empty() && payload.bytes[0] == 22) {
            collect_from_datagram(payload, fragments);
        }
    }
    const std::span<const Fragment> all = fragments.all();
    if (all.empty()) {
        return false;
    }
    out.carrier = Carrier::dtls;
    out.direction = direction;
    out.quic_version = 0;
    // The last one may be the one with the cookie.
    const std::uint16_t first = all.front().message;
    const std::uint16_t last = all.back().message;
    if (last != first && read_message(all, last, out) && !out.cookie.empty()) {
        return true;
    }
    return read_message(all, first, out) || (last != first && read_message(all, last, out));
}

}  // namespace flowclass::hello
