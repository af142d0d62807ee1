// A block of flows at a time: addresses are read, then registry and policy judge the block.
#include "policy/finished_flows.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace flowclass::policy {

namespace {

constexpr std::size_t kBlock = 1024;

struct Block {
    std::vector<base::IpAddress> src, dst;
    std::vector<std::string_view> protocol;
    std::vector<ProtocolClass> protocol_class;
    std::vector<Tier> tier;
    std::vector<registry::FlowMatch> match;
    std::vector<Judgement> judgement;

    void clear() noexcept {
        src.clear();
        dst.clear();
        protocol.clear();
        protocol_class.clear();
        tier.clear();
    }
};

base::Error row_error(std::size_t row, const std::string& what) {
    return base::Error{"row " + std::to_string(row) + ": " + what};
}

bool of_one_length(const FinishedFlows& flows, std::size_t count) noexcept {
    return flows.src.size() == count && flows.dst.size() == count &&
           flows.protocol.size() == count && flows.protocol_class.size() == count &&
           flows.tier.size() == count;
}

// Appends one address. Gives a sentence where there is none.
std::optional<base::Error> read_address(const Texts& texts,
                                        std::size_t row,
                                        std::vector<base::IpAddress>& out) {
    const std::int64_t begin = texts.ends[row];
    const std::int64_t end = texts.ends[row + 1];
    if (begin < 0 || begin > end || std::cmp_greater(end, texts.text.size())) {
        return row_error(row, "an address lies outside its column");
    }
    const std::string_view text =
        texts.text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    const std::optional<base::IpAddress> address = base::parse_ip_address(text);
    if (!address) {
        return row_error(
            row, "'" + std::string(text.substr(0, 64)) + "' is not an IPv4 or IPv6 address");
    }
    out.push_back(*address);
    return std::nullopt;
}

std::optional<base::Error> read_row(const FinishedFlows& flows,
                                    const Policy* policy,
                                    std::size_t row,
                                    Block& block) {
    for (const auto& [texts, out] :
         {std::pair{&flows.src, &block.src}, std::pair{&flows.dst, &block.dst}}) {
        if (std::optional<base::Error> defect = read_address(*texts, row, *out)) {
            return defect;
        }
    }
    const auto protocol = static_cast<std::size_t>(std::max(flows.protocol[row], -1));
    if (flows.protocol_class[row] >= static_cast<std::uint8_t>(ProtocolClass::count_) ||
        flows.tier[row] >= static_cast<std::uint8_t>(Tier::count_) ||
        protocol >= flows.protocol_names.size()) {
        return row_error(row, "its protocol, class or tier is not in the list");
    }
    const auto protocol_class = static_cast<ProtocolClass>(flows.protocol_class[row]);
    const auto tier = static_cast<Tier>(flows.tier[row]);
    const bool asked = tier != Tier::none && asks_protocol(protocol_class, policy);
    block.protocol.push_back(asked ? std::string_view(flows.protocol_names[protocol])
                                   : std::string_view());
    block.protocol_class.push_back(protocol_class);
    block.tier.push_back(tier);
    return std::nullopt;
}

void append(const Block& block, bool judged, JudgedColumns& out) {
    for (const registry::FlowMatch& match : block.match) {
        out.entry.push_back(match.entry);
        out.match.push_back(static_cast<std::uint8_t>(match.match));
        out.end.push_back(static_cast<std::uint8_t>(match.end));
    }
    if (!judged) {
        return;
    }
    for (const Judgement& judgement : block.judgement) {
        out.outcome.push_back(static_cast<std::uint8_t>(judgement.outcome));
        out.reason.push_back(static_cast<std::uint8_t>(judgement.reason));
        out.phase.push_back(judgement.phase);
    }
}

}  // namespace

base::Result<JudgedColumns> judge_finished(const FinishedFlows& flows,
                                           const registry::Registry& registry,
                                           const Policy* policy) {
    const std::size_t count = flows.time.size();
    if (!of_one_length(flows, count)) {
        return base::Error{"the columns are not of one length"};
    }
    JudgedColumns out;
    Block block;
    for (std::size_t first = 0; first < count; first += kBlock) {
        const std::size_t rows = std::min(kBlock, count - first);
        block.clear();
        for (std::size_t row = first; row < first + rows; ++row) {
            if (std::optional<base::Error> defect = read_row(flows, policy, row, block)) {
                return *std::move(defect);
            }
        }
        const auto times = flows.time.subspan(first, rows);
        block.match.resize(rows);
        registry.match({block.src, block.dst, times, block.protocol}, block.match);
        if (policy != nullptr) {
            block.judgement.resize(rows);
            judge({block.protocol_class, block.tier, block.match, times, block.src, block.dst},
                  *policy,
                  block.judgement);
        }
        append(block, policy != nullptr, out);
    }
    return out;
}

}  // namespace flowclass::policy
