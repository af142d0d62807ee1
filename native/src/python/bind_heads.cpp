// Saved heads matched again: the columns of batch/head_columns.hpp in, the verdict columns out.
// Takes numpy views of the Arrow buffers, unchecked by anybody before: every index is held against
// its column.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "batch/flow_batch.hpp"
#include "fingerprint/link.hpp"
#include "head/head_policy.hpp"
#include "python/arrow_capsule.hpp"
#include "python/user_faults.hpp"

namespace nb = nanobind;

void bind_heads(nb::module_& module);

namespace {

using namespace flowclass;

constexpr std::uint8_t kTcp = 6;

template <typename T>
std::span<const T> column(const nb::dict& given, const char* name, std::size_t size) {
    using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
    const auto array = nb::cast<Array>(given[name]);
    if (array.shape(0) != size) {
        throw nb::value_error((std::string("column ") + name + " has another length").c_str());
    }
    return {array.data(), size};
}

template <typename T>
std::size_t size_of(const nb::dict& given, const char* name) {
    using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
    return nb::cast<Array>(given[name]).shape(0);
}

struct Rows {
    explicit Rows(const nb::dict& given)
        : count(size_of<std::uint8_t>(given, "ip_proto")),
          ip_proto(column<std::uint8_t>(given, "ip_proto", count)),
          from_syn(column<std::uint8_t>(given, "from_syn", count)),
          time_start(column<std::int64_t>(given, "time_start", count)),
          link(column<std::int8_t>(given, "link", count)),
          link_time(column<std::int64_t>(given, "link_time", count)),
          offsets(column<std::int32_t>(given, "offsets", count + 1)) {}

    std::size_t count;
    std::span<const std::uint8_t> ip_proto, from_syn;
    std::span<const std::int64_t> time_start;
    std::span<const std::int8_t> link;  // place in the link rules, -1: none
    std::span<const std::int64_t> link_time;
    std::span<const std::int32_t> offsets;  // of the list: one more than rows
};

struct Entries {
    explicit Entries(const nb::dict& given)
        : count(size_of<std::uint8_t>(given, "reverse")),
          reverse(column<std::uint8_t>(given, "reverse", count)),
          by_first_sender(column<std::uint8_t>(given, "by_first_sender", count)),
          from_start(column<std::uint8_t>(given, "from_start", count)),
          offset_ns(column<std::int64_t>(given, "offset_ns", count)),
          sender_port(column<std::uint16_t>(given, "sender_port", count)),
          receiver_port(column<std::uint16_t>(given, "receiver_port", count)),
          packet(column<std::uint32_t>(given, "packet", count)),
          length(column<std::uint32_t>(given, "length", count)),
          start(column<std::uint32_t>(given, "start", count)),
          repeated(column<std::uint32_t>(given, "repeated", count)),
          prefix_offsets(column<std::int32_t>(given, "prefix_offsets", count + 1)),
          octets(column<std::uint8_t>(given, "octets", size_of<std::uint8_t>(given, "octets"))) {}

    [[nodiscard]] base::Bytes prefix(std::size_t entry) const {
        const auto begin = static_cast<std::size_t>(std::max(prefix_offsets[entry], 0));
        const auto end = static_cast<std::size_t>(std::max(prefix_offsets[entry + 1], 0));
        return begin <= end && end <= octets.size() ? octets.subspan(begin, end - begin)
                                                    : base::Bytes();
    }

    std::size_t count;
    std::span<const std::uint8_t> reverse, by_first_sender, from_start;
    std::span<const std::int64_t> offset_ns;
    std::span<const std::uint16_t> sender_port, receiver_port;
    std::span<const std::uint32_t> packet, length, start, repeated;
    std::span<const std::int32_t> prefix_offsets;
    std::span<const std::uint8_t> octets;
};

// A head made again, with the octets its spans point into.
struct Restored {
    head::FlowHead head;
    std::array<std::array<std::uint8_t, head::kLargeBytes>, 2> octets;
    std::array<std::size_t, 2> used;
};

void add_entry(Restored& out, const Entries& entries, std::size_t place, base::TimeNs begun) {
    head::FlowHead& head = out.head;
    const bool forward = entries.by_first_sender[place] != 0;
    const auto direction = forward ? head::Direction::forward : head::Direction::reverse;
    const std::size_t side = head::index_of(direction);
    const base::Bytes prefix = entries.prefix(place);
    const std::size_t start = std::min<std::size_t>(entries.start[place], head::kLargeBytes);
    const std::size_t kept = std::min(prefix.size(), head::kLargeBytes - start);
    std::copy_n(prefix.begin(), kept, std::span(out.octets[side]).subspan(start).begin());
    if (kept > 0) {
        out.used[side] = std::max(out.used[side], start + kept);
    }
    head.src_port = forward ? entries.sender_port[place] : entries.receiver_port[place];
    head.dst_port = forward ? entries.receiver_port[place] : entries.sender_port[place];
    head.from_stream_start[side] = entries.from_start[place] != 0;
    head::HeadEntry& entry = head.entries[head.entry_count++];
    ++head.direction_count[side];
    entry.time = base::saturating_add(begun, entries.offset_ns[place]);
    entry.length = entries.length[place];
    entry.packet = entries.packet[place];
    entry.start =
        static_cast<std::uint16_t>(std::min(entries.start[place], std::uint32_t{UINT16_MAX}));
    entry.kept = static_cast<std::uint16_t>(
        head.ip_proto == kTcp ? std::min(entries.length[place], std::uint32_t{UINT16_MAX}) : kept);
    entry.payload_offset =
        static_cast<std::uint16_t>(std::min(entries.repeated[place], std::uint32_t{UINT16_MAX}));
    entry.direction = direction;
}

// A saved head does not say what a snap length cut; where less was kept than the least that is
// always kept, it shows.
bool shows_cut(const Restored& out, const head::HeadEntry& entry) {
    const std::size_t start = entry.start;
    if (out.head.ip_proto == kTcp) {
        const std::size_t used = out.used[head::index_of(entry.direction)];
        return used < std::min(head::kSmallBytes, start + entry.length);
    }
    return start + head::kPrefix <= head::kSmallBytes &&
           entry.kept < std::min<std::size_t>(entry.length, head::kPrefix);
}

// True when the row's src sent the flow's first packet.
bool restore(Restored& out, const Rows& rows, const Entries& entries, std::size_t row) {
    out.head = {};
    out.used = {};
    out.octets = {};
    out.head.ip_proto = rows.ip_proto[row];
    const auto first = static_cast<std::size_t>(std::max(rows.offsets[row], 0));
    const auto last = static_cast<std::size_t>(std::max(rows.offsets[row + 1], 0));
    bool src_is_first = true;
    for (std::size_t place = first; place < last && place < entries.count; ++place) {
        if (out.head.entry_count == head::kMaxEntries) {
            break;
        }
        add_entry(out, entries, place, rows.time_start[row]);
        src_is_first = (entries.reverse[place] == 0) == (entries.by_first_sender[place] != 0);
    }
    for (std::size_t side = 0; side < 2; ++side) {
        out.head.kept[side] = base::Bytes(out.octets[side]).first(out.used[side]);
    }
    for (std::size_t entry = 0; entry < out.head.entry_count; ++entry) {
        out.head.truncated = out.head.truncated || shows_cut(out, out.head.entries[entry]);
    }
    if (out.head.entry_count > 0) {
        out.head.time_first = out.head.entries[0].time;
    }
    return src_is_first;
}

// The other flow was found when the capture was classified; it counts as it did then.
void add_link(fingerprint::Match& found,
              const fingerprint::UserMatchers* user,
              std::int8_t link,
              base::TimeNs time,
              batch::FlowRow& row,
              std::vector<fingerprint::Check>& checks) {
    if (link < 0 || static_cast<std::size_t>(link) >= fingerprint::kLinkRules.size() ||
        found.tier < fingerprint::Tier::possible) {
        return;
    }
    const fingerprint::LinkRule& rule = fingerprint::kLinkRules[static_cast<std::size_t>(link)];
    const auto& follows = fingerprint::info_of(found.matcher, user).follows;
    if (std::find(follows.begin(), follows.end(), rule.kind) == follows.end()) {
        return;
    }
    checks.push_back({.rule = &rule.rule,
                      .time = time,
                      .packet = 0,
                      .offset = 0,
                      .length = 0,
                      .direction = packet::Direction::forward,
                      .bits = rule.bits});
    row.bits += rule.bits;
    row.tier = fingerprint::tier_of(
        row.bits, found.evidence.both_directions(), found.evidence.assigned_ip_protocol());
}

nb::tuple match_heads(const nb::dict& given, std::shared_ptr<fingerprint::UserMatchers> user) {
    const Rows rows(given);
    const Entries entries(given);
    batch::FlowBatchBuilder builder({}, {}, nullptr, user);
    std::string turned(rows.count, '\0');
    flow::FlowKey key;
    key.version = 4;
    const feature::Accumulators sums;
    fingerprint::Match found;
    fingerprint::UserFaults faults;
    Restored restored;
    std::vector<fingerprint::Check> checks;
    for (std::size_t number = 0; number < rows.count; ++number) {
        const bool src_is_first = restore(restored, rows, entries, number);
        fingerprint::match(restored.head, found);
        if (user) {
            user->match(restored.head, found, faults);
        }
        flow::FlowRecord record;
        record.from_syn = rows.from_syn[number] != 0;
        record.initiator_forward = src_is_first;
        batch::FlowRow row;
        row.key = &key;
        row.record = &record;
        row.sums = &sums;
        checks.clear();
        if (found.matcher != fingerprint::kNoMatcher) {
            row.matcher = found.matcher;
            row.tier = found.tier;
            row.bits = found.evidence.bits();
            row.variant = found.evidence.variant();
            row.initiator = found.tier == fingerprint::Tier::none
                                ? fingerprint::Initiator::not_known
                                : found.evidence.initiator();
            checks.assign(found.evidence.checks().begin(), found.evidence.checks().end());
            add_link(found, user.get(), rows.link[number], rows.link_time[number], row, checks);
            row.checks = checks;
        }
        row.alternatives = std::span(found.alternatives).first(found.alternative_count);
        if (found.has_hello) {
            row.server_name = found.hello.server_name();
            row.alpn = found.hello.alpn();
            row.ja4 = found.hello.ja4();
        }
        const batch::Orientation way = batch::orientation_of(record, row.initiator);
        turned[number] = way.initiator_forward == src_is_first ? '\0' : '\1';
        builder.append(row);
    }
    return nb::make_tuple(PyFlowBatch(builder.finish({""})),
                          nb::bytes(turned.data(), turned.size()),
                          faults_dict(user.get(), faults));
}

nb::list link_rules() {
    nb::list out;
    for (const fingerprint::LinkRule& link : fingerprint::kLinkRules) {
        out.append(nb::make_tuple(std::string(link.rule.id),
                                  std::string(link.rule.meaning),
                                  double{link.bits},
                                  fingerprint::to_string(link.kind)));
    }
    return out;
}

}  // namespace

void bind_heads(nb::module_& module) {
    module.def(
        "match_heads",
        &match_heads,
        nb::arg("columns"),
        nb::arg("user") = nb::none(),
        "Match saved heads again. Gives a batch whose verdict columns count, for each row whether "
        "src and dst have changed places, and how often users' functions failed.");
    module.def("link_rules",
               &link_rules,
               "The rules of linked flows: id, meaning, bits, and the kind of the leading flow.");
}
