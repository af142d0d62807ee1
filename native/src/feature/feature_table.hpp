// The feature columns: one table from which the schema, the columns of a batch and the documents
// are made. A row says what a column is called and means, in which unit, by which formula, whence
// it comes, and which number of a flow it is; value_of() gives that number.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "feature/flow_features.hpp"

namespace flowclass::feature {

// Text made at compile time.
template <std::size_t Room>
struct Text {
    std::array<char, Room> letters{};
    std::size_t size = 0;

    template <typename... Parts>
    static constexpr Text of(Parts... parts) {
        Text text;
        (text.append(parts), ...);
        return text;
    }
    constexpr void append(std::string_view part) {
        for (const char letter : part) {
            letters[size++] = letter;  // past the room: no constant, so no program
        }
    }
    [[nodiscard]] constexpr std::string_view view() const { return {letters.data(), size}; }
};

enum class ValueType : std::uint8_t {
    uint16,
    uint32,
    uint64,
    int64,
    float64,
    uint32_list,
    int8_list,
    int64_list,
};

// Of what: lengths, gaps, ...
enum class Quantity : std::uint8_t {
    length,
    gap,
    first_lengths,
    first_directions,
    first_gaps,
    head_octets,
    head_entropy,
    tcp_flag,
    tcp_window_first,
    tcp_window_least,
    tcp_window_greatest,
    active,
    idle,
};
// Which number of several.
enum class Statistic : std::uint8_t { least, mean, deviation, greatest, count };
// Of which packets; not forward and reverse, but as the row says who began.
enum class Way : std::uint8_t { fwd, rev, both };

struct Feature {
    Text<32> name;
    ValueType type{};
    std::string_view unit;
    Text<128> meaning;
    std::string_view formula;
    std::string_view source;
    Text<32> ipfix;
    Quantity quantity{};
    Statistic statistic = Statistic::count;
    Way way = Way::both;
    std::size_t flag = 0;  // which control bit
};

inline constexpr std::size_t kFeatureCount = 64;
inline constexpr std::size_t kListFeatures = 3;

namespace table {

using Rows = std::array<Feature, kFeatureCount>;

inline constexpr std::array<std::string_view, 3> kWays{"fwd", "rev", "bi"};
inline constexpr std::array<std::string_view, 3> kOfWay{
    ", src to dst", ", dst to src", ", both directions"};

struct StatisticWords {
    Statistic statistic;
    std::string_view name, words, formula;
};
inline constexpr std::array kStatistics{
    StatisticWords{Statistic::least, "min", "least ", "min x"},
    StatisticWords{Statistic::mean, "mean", "mean ", "sum(x) / n"},
    StatisticWords{Statistic::deviation,
                   "std",
                   "standard deviation of the ",
                   "sqrt(sum((x - mean)^2) / n), n >= 2"},
    StatisticWords{Statistic::greatest, "max", "greatest ", "max x"},
};
inline constexpr std::array<std::string_view, kTcpFlags> kFlagNames{
    "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"};
// tcpFinTotalCount, tcpSynTotalCount, ...; the last two have none.
inline constexpr std::array<std::string_view, kTcpFlags> kFlagElements{
    "219", "218", "220", "221", "222", "223", "", ""};

constexpr Text<32> element(std::string_view number, Way way) {
    return way == Way::rev && !number.empty() ? Text<32>::of(number, " reverse (RFC 5103)")
                                              : Text<32>::of(number);
}
constexpr std::size_t index_of(Way way) {
    return static_cast<std::size_t>(way);
}
constexpr ValueType type_of(Statistic statistic, ValueType whole) {
    return statistic == Statistic::mean || statistic == Statistic::deviation ? ValueType::float64
                                                                             : whole;
}

constexpr std::size_t add_lengths(Rows& rows, std::size_t at) {
    for (const StatisticWords& one : kStatistics) {
        for (const Way way : {Way::fwd, Way::rev, Way::both}) {
            const std::string_view number = way == Way::both                       ? ""
                                            : one.statistic == Statistic::least    ? "25"
                                            : one.statistic == Statistic::greatest ? "26"
                                                                                   : "";
            rows[at++] = {
                .name = Text<32>::of("pkt_len_", one.name, "_", kWays[index_of(way)]),
                .type = type_of(one.statistic, ValueType::uint32),
                .unit = "octets",
                .meaning = Text<128>::of(one.words, "IP total length", kOfWay[index_of(way)]),
                .formula = one.formula,
                .source = "CICFlowMeter (there: payload); NetTiSA",
                .ipfix = element(number, way),
                .quantity = Quantity::length,
                .statistic = one.statistic,
                .way = way};
        }
    }
    return at;
}

constexpr std::size_t add_gaps(Rows& rows, std::size_t at) {
    for (const StatisticWords& one : kStatistics) {
        for (const Way way : {Way::fwd, Way::rev, Way::both}) {
            rows[at++] = {
                .name = Text<32>::of("iat_ns_", one.name, "_", kWays[index_of(way)]),
                .type = type_of(one.statistic, ValueType::int64),
                .unit = "ns",
                .meaning = Text<128>::of(
                    one.words, "time since the latest packet before", kOfWay[index_of(way)]),
                .formula = one.formula,
                .source = "ISCXVPN2016 fiat, biat, flowiat",
                .ipfix = {},
                .quantity = Quantity::gap,
                .statistic = one.statistic,
                .way = way};
        }
    }
    return at;
}

constexpr std::size_t add_first_packets(Rows& rows, std::size_t at) {
    const auto row = [&rows, &at](std::string_view name,
                                  ValueType type,
                                  std::string_view unit,
                                  std::string_view meaning,
                                  Quantity quantity) {
        rows[at++] = {.name = Text<32>::of(name),
                      .type = type,
                      .unit = unit,
                      .meaning = Text<128>::of(meaning),
                      .formula = "of packets 1 to min(16, n), as they came",
                      .source = "Joy SPLT; nfstream; ipfixprobe pstats",
                      .ipfix = {},
                      .quantity = quantity};
    };
    row("splt_len",
        ValueType::uint32_list,
        "octets",
        "IP total length of the first 16 packets",
        Quantity::first_lengths);
    row("splt_dir",
        ValueType::int8_list,
        "",
        "direction of the same: 1 = src to dst, -1 = dst to src",
        Quantity::first_directions);
    row("splt_iat_ns",
        ValueType::int64_list,
        "ns",
        "time of the same since the latest packet before; 0 for the first",
        Quantity::first_gaps);
    return at;
}

constexpr std::size_t add_head(Rows& rows, std::size_t at) {
    for (const Way way : {Way::fwd, Way::rev, Way::both}) {
        rows[at++] = {
            .name = Text<32>::of("head_octets_", kWays[index_of(way)]),
            .type = ValueType::uint32,
            .unit = "octets",
            .meaning = Text<128>::of("payload octets that the head kept", kOfWay[index_of(way)]),
            .formula = "n",
            .source = "the head, docs/features.md",
            .ipfix = {},
            .quantity = Quantity::head_octets,
            .way = way};
    }
    for (const Way way : {Way::fwd, Way::rev, Way::both}) {
        rows[at++] = {
            .name = Text<32>::of("head_entropy_", kWays[index_of(way)]),
            .type = ValueType::float64,
            .unit = "bits per octet",
            .meaning = Text<128>::of("Shannon entropy of these octets", kOfWay[index_of(way)]),
            .formula = "sum over octet values of c/n log2(n/c)",
            .source = "Shannon 1948, section 6",
            .ipfix = {},
            .quantity = Quantity::head_entropy,
            .way = way};
    }
    return at;
}

constexpr std::size_t add_tcp(Rows& rows, std::size_t at) {
    for (std::size_t flag = 0; flag < kTcpFlags; ++flag) {
        for (const Way way : {Way::fwd, Way::rev}) {
            rows[at++] = {
                .name = Text<32>::of("tcp_", kFlagNames[flag], "_packets_", kWays[index_of(way)]),
                .type = ValueType::uint64,
                .unit = "",
                .meaning = Text<128>::of(
                    "packets with this control bit set", kOfWay[index_of(way)], "; TCP only"),
                .formula = "count",
                .source = "RFC 9293, section 3.1; CICFlowMeter",
                .ipfix = element(kFlagElements[flag], way),
                .quantity = Quantity::tcp_flag,
                .way = way,
                .flag = flag};
        }
    }
    struct Window {
        std::string_view name, words, formula, element;
        Quantity quantity;
    };
    constexpr std::array kWindows{
        Window{"first", "window of the first packet", "x1", "186", Quantity::tcp_window_first},
        Window{"min", "least window", "min x", "", Quantity::tcp_window_least},
        Window{"max", "greatest window", "max x", "", Quantity::tcp_window_greatest}};
    for (const Window& window : kWindows) {
        for (const Way way : {Way::fwd, Way::rev}) {
            rows[at++] = {
                .name = Text<32>::of("tcp_window_", window.name, "_", kWays[index_of(way)]),
                .type = ValueType::uint16,
                .unit = "octets, not scaled",
                .meaning = Text<128>::of(
                    window.words, " as in the header", kOfWay[index_of(way)], "; TCP only"),
                .formula = window.formula,
                .source = "RFC 9293, section 3.1; CICFlowMeter",
                .ipfix = element(window.element, way),
                .quantity = window.quantity,
                .way = way};
        }
    }
    return at;
}

constexpr std::size_t add_periods(Rows& rows, std::size_t at) {
    rows[at++] = {.name = Text<32>::of("active_periods"),
                  .type = ValueType::uint64,
                  .unit = "",
                  .meaning = Text<128>::of("runs of packets without a gap of more than 5 s"),
                  .formula = "count",
                  .source = "ISCXVPN2016 active; CICFlowMeter",
                  .ipfix = {},
                  .quantity = Quantity::active};
    struct Period {
        std::string_view name, words, source;
        Quantity quantity;
    };
    constexpr std::array kPeriods{
        Period{"active_ns_",
               "time from first to latest packet of such a run",
               "ISCXVPN2016 active",
               Quantity::active},
        Period{"idle_ns_", "gap of more than 5 s", "ISCXVPN2016 idle", Quantity::idle}};
    for (const Period& period : kPeriods) {
        for (const StatisticWords& one : kStatistics) {
            rows[at++] = {.name = Text<32>::of(period.name, one.name),
                          .type = type_of(one.statistic, ValueType::int64),
                          .unit = "ns",
                          .meaning = Text<128>::of(one.words, period.words),
                          .formula = one.formula,
                          .source = period.source,
                          .ipfix = {},
                          .quantity = period.quantity,
                          .statistic = one.statistic};
        }
    }
    return at;
}

constexpr Rows make() {
    Rows rows;
    std::size_t at = add_lengths(rows, 0);
    at = add_gaps(rows, at);
    at = add_first_packets(rows, at);
    at = add_head(rows, at);
    at = add_tcp(rows, at);
    at = add_periods(rows, at);
    // Not a constant, hence not a program, when the count is wrong.
    return at == kFeatureCount ? rows : Rows{rows.at(at)};
}

}  // namespace table

inline constexpr table::Rows kFeatures = table::make();

}  // namespace flowclass::feature
