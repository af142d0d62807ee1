// Fuzz target of ClientHellos. The input is the kept octets of a head:
//
//   kind(1: bit 0: 0 TCP, 1 UDP)  flags(1: bit 0: SYN seen)
//   then payloads: direction(1: bit 0)  octets missing(2)  count(2)  octets
//
// The octets lie in buffers of exactly their size. Aborts when a text or a span breaks its promise
// (hello/client_hello.hpp). seeds.py writes the vectors of hellos in this form.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/byte_reader.hpp"
#include "hello/client_hello.hpp"

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
using flowclass::head::Direction;
using flowclass::head::FlowHead;
using flowclass::hello::Carrier;
using flowclass::hello::ClientHello;
namespace head = flowclass::head;
namespace hello = flowclass::hello;

namespace {

using Octets = std::vector<std::uint8_t>;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

void add(FlowHead& out, std::array<Octets, 2>& kept, ByteReader& reader) {
    const auto direction = static_cast<Direction>(reader.u8() & 1U);
    const std::uint32_t missing = reader.be16();
    const std::size_t wanted = reader.be16();
    const std::size_t count = std::min(wanted, reader.remaining());
    const Bytes octets = reader.bytes(count);
    const std::size_t index = head::index_of(direction);
    if (kept[index].size() + count > UINT16_MAX ||
        out.direction_count[index] == head::kMaxEntriesPerDirection) {
        return;
    }
    head::HeadEntry& entry = out.entries[out.entry_count++];
    entry = {};
    entry.direction = direction;
    entry.start = static_cast<std::uint16_t>(kept[index].size());
    entry.kept = static_cast<std::uint16_t>(count);
    entry.length = static_cast<std::uint32_t>(count) + missing;
    ++out.direction_count[index];
    kept[index].insert(kept[index].end(), octets.begin(), octets.end());
}

bool is_name(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' ||
           letter == '_' || letter == '.';
}

void check_texts(const ClientHello& said) {
    const std::string_view name = said.server_name();
    require(std::all_of(name.begin(), name.end(), is_name));
    require(name.empty() || (said.has_server_name && name.front() != '.' && name.back() != '.'));
    for (const char letter : said.alpn()) {
        require(letter > ' ' && letter < 0x7f);
    }
    const std::string_view ja4 = said.ja4();
    require(ja4.empty() || (ja4.size() == 36 && ja4[10] == '_' && ja4[23] == '_'));
    for (const char letter : ja4) {
        require(letter > ' ' && letter < 0x7f);
    }
}

void check_spans(const ClientHello& said, const FlowHead& seen) {
    require(said.cipher_suites.size() >= 2 && said.cipher_suites.size() % 2 == 0);
    require(said.session_id.size() <= 32 && said.entry < seen.entry_count);
    std::uint32_t sum = 0;
    for (const Bytes field : {said.session_id,
                              said.cookie,
                              said.cipher_suites,
                              said.extensions,
                              said.supported_versions,
                              said.signature_algorithms,
                              said.application_protocols,
                              said.server_name_octets,
                              said.transport_parameters}) {
        for (const std::uint8_t octet : field) {
            sum += octet;  // each is read: a span beyond its octets shows
        }
        const ClientHello::Place place = said.place_of(field);
        if (!place.there) {
            continue;
        }
        require(place.length > 0);
        const Bytes all = said.carrier == Carrier::tls ? seen.stream(said.direction)
                                                       : seen.payload(place.entry).bytes;
        require(place.offset + place.length <= all.size());
        require(said.carrier == Carrier::quic || all[place.offset] == field[0]);
    }
    require(sum < UINT32_MAX);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader reader(Bytes(data, size));
    FlowHead seen;
    seen.ip_proto = (reader.u8() & 1U) != 0 ? 17 : 6;
    const bool from_start = (reader.u8() & 1U) != 0;
    seen.from_stream_start = {from_start, from_start};
    std::array<Octets, 2> kept;
    while (reader.remaining() >= 5 && seen.entry_count < head::kMaxEntries) {
        add(seen, kept, reader);
    }
    for (std::size_t index = 0; index < 2; ++index) {
        kept[index].shrink_to_fit();
        seen.kept[index] = kept[index];
    }
    static_cast<void>(hello::may_hold_hello(seen));
    ClientHello said;
    if (!hello::read(seen, said)) {
        return 0;
    }
    check_texts(said);
    check_spans(said, seen);
    ClientHello again;
    require(hello::read(seen, again));
    require(again.server_name() == said.server_name() && again.alpn() == said.alpn() &&
            again.ja4() == said.ja4());
    return 0;
}
