// What matching costs, and what it says of payload that is nobody's.
//   flowclass_matching speed|random|mutate [--count N] [--seed N] < LIST
// Takes: on standard input the names of captures, one a line. Gives: one line of JSON.
//   speed   nanoseconds a head over all heads of the captures, matched in bulk, and how many of
//           each protocol there are, so that the caller can check the answer
//   random  N flows with the sizes, ports and times of the captures' TCP and UDP flows and random
//           payload: how many reached each tier, and which protocols were claimed
//   mutate  the captures' flows with each kept octet changed, one at a time: how many became a VPN
//           or another tunnel that were none
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "capture/mapped_file.hpp"
#include "engine/shard.hpp"
#include "fingerprint/match.hpp"

namespace {

using namespace flowclass;
using fingerprint::Tier;
using Heads = std::vector<std::unique_ptr<engine::HeadStore::Restored>>;

double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
class Random {
  public:
    explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
    std::uint64_t next() noexcept {
        std::uint64_t word = state_ += 0x9e3779b97f4a7c15U;
        word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9U;
        word = (word ^ (word >> 27U)) * 0x94d049bb133111ebU;
        return word ^ (word >> 31U);
    }
    std::size_t below(std::size_t bound) noexcept { return next() % bound; }
    void fill(std::span<std::uint8_t> out) noexcept {
        for (std::size_t at = 0; at < out.size(); at += sizeof(std::uint64_t)) {
            const std::uint64_t word = next();
            std::memcpy(&out[at], &word, std::min(sizeof word, out.size() - at));
        }
    }

  private:
    std::uint64_t state_;
};

// The heads of a capture's flows, as the engine keeps them for the rows.
void read_heads(const std::string& name, Heads& out) {
    auto opened = capture::MappedFile::open(name);
    if (!opened.ok()) {
        std::cerr << "flowclass_matching: " << name << ": cannot be read\n";
        std::exit(1);
    }
    engine::Options options;
    options.memcap = std::size_t{1} << 28U;
    options.heads = true;
    const auto shard = std::make_unique<engine::Shard>(options, base::HashKey{1, 2}, 0, 1);
    shard->begin_source(0);
    shard->push(opened.value().bytes());
    shard->end_source();
    shard->finish();
    for (const engine::EndedFlow* flow : shard->ended()) {
        if (flow->state().saved_head != engine::HeadStore::kNone) {
            out.push_back(std::make_unique<engine::HeadStore::Restored>());
            shard->saved_heads().read(flow->state().saved_head, *out.back());
        }
    }
    shard->release_ended();
}

// What matching the heads gave, by tier and, for what was found, by protocol.
struct Outcome {
    std::array<std::uint64_t, 4> tiers{};
    std::map<std::string, std::uint64_t> claimed;

    void add(const fingerprint::Match& match) {
        ++tiers[static_cast<std::size_t>(match.tier)];
        if (match.tier >= Tier::probable) {
            ++claimed[std::string(fingerprint::matchers()[match.matcher].info->protocol)];
        }
    }
    void print() const {
        std::printf(
            "\"none\": %llu, \"possible\": %llu, \"probable\": %llu, \"confirmed\": %llu, "
            "\"claimed\": {",
            static_cast<unsigned long long>(tiers[0]),
            static_cast<unsigned long long>(tiers[1]),
            static_cast<unsigned long long>(tiers[2]),
            static_cast<unsigned long long>(tiers[3]));
        const char* between = "";
        for (const auto& [protocol, count] : claimed) {
            std::printf("%s\"%s\": %llu",
                        between,
                        protocol.c_str(),
                        static_cast<unsigned long long>(count));
            between = ", ";
        }
        std::printf("}");
    }
};

// Heads one after another, with their octets behind each other, as bulk matching of saved heads
// finds them: what is timed is matching, not the way to the memory of the benchmark's own lists.
struct Packed {
    std::vector<head::FlowHead> heads;
    std::vector<std::uint8_t> octets;

    explicit Packed(const Heads& from) {
        std::size_t size = 0;
        for (const auto& head : from) {
            size += head->head.kept[0].size() + head->head.kept[1].size();
        }
        octets.reserve(size);
        for (const auto& head : from) {
            heads.push_back(head->head);
            for (base::Bytes& kept : heads.back().kept) {
                const std::size_t begin = octets.size();
                octets.insert(octets.end(), kept.begin(), kept.end());
                kept = base::Bytes(octets).subspan(begin);
            }
        }
    }
};

void speed(const Heads& from, std::uint64_t rounds) {
    Packed packed(from);
    std::vector<head::FlowHead>& heads = packed.heads;
    fingerprint::Match match;
    Outcome outcome;
    for (head::FlowHead& head : heads) {
        fingerprint::match(head, match);
        outcome.add(match);
    }
    std::vector<double> seconds;
    std::uint64_t found = 0;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        const double begin = processor_seconds();
        for (head::FlowHead& head : heads) {
            fingerprint::match(head, match);
            found += match.tier >= Tier::probable ? 1U : 0U;
        }
        seconds.push_back(processor_seconds() - begin);
    }
    std::sort(seconds.begin(), seconds.end());
    const double heads_count = static_cast<double>(heads.size());
    std::printf(
        "{\"heads\": %zu, \"rounds\": %llu, \"found\": %llu, \"ns_least\": %.1f, \"ns_median\": "
        "%.1f, ",
        heads.size(),
        static_cast<unsigned long long>(rounds),
        static_cast<unsigned long long>(found / rounds),
        1e9 * seconds.front() / heads_count,
        1e9 * seconds[seconds.size() / 2] / heads_count);
    outcome.print();
    std::printf("}\n");
}

void random_payload(const Heads& heads, std::uint64_t count, std::uint64_t seed) {
    std::vector<const engine::HeadStore::Restored*> templates;
    for (const auto& head : heads) {
        if (head->head.ip_proto == fingerprint::kTcp || head->head.ip_proto == fingerprint::kUdp) {
            templates.push_back(head.get());
        }
    }
    Random dice(seed);
    Outcome outcome;
    fingerprint::Match match;
    std::array<std::array<std::uint8_t, head::kLargeBytes>, 2> octets;
    for (std::uint64_t flow = 0; flow < count; ++flow) {
        head::FlowHead head = templates[dice.below(templates.size())]->head;
        for (std::size_t side = 0; side < 2; ++side) {
            const auto payload = std::span(octets[side]).first(head.kept[side].size());
            dice.fill(payload);
            head.kept[side] = payload;
        }
        fingerprint::match(head, match);
        outcome.add(match);
    }
    std::printf("{\"flows\": %llu, \"templates\": %zu, \"seed\": %llu, ",
                static_cast<unsigned long long>(count),
                templates.size(),
                static_cast<unsigned long long>(seed));
    outcome.print();
    std::printf("}\n");
}

// A VPN, or another kind of tunnel.
bool is_tunnel(const fingerprint::Match& match) {
    return match.tier >= Tier::probable &&
           fingerprint::matchers()[match.matcher].info->protocol_class !=
               fingerprint::ProtocolClass::app;
}

void mutate(const Heads& heads, std::uint64_t seed) {
    Random dice(seed);
    Outcome accused;
    fingerprint::Match match;
    std::uint64_t mutants = 0;
    std::uint64_t already = 0;
    for (const auto& restored : heads) {
        head::FlowHead& head = restored->head;
        fingerprint::match(head, match);
        if (is_tunnel(match)) {
            ++already;
            continue;
        }
        for (const base::Bytes kept : head.kept) {
            const auto begin = static_cast<std::size_t>(kept.data() - restored->octets.data());
            for (std::uint8_t& octet : std::span(restored->octets).subspan(begin, kept.size())) {
                const std::uint8_t before = octet;
                const auto other = static_cast<std::uint8_t>(1 + dice.below(255));
                for (const std::uint8_t change : {std::uint8_t{0xff}, std::uint8_t{0x01}, other}) {
                    octet = before ^ change;
                    fingerprint::match(head, match);
                    ++mutants;
                    if (is_tunnel(match)) {
                        accused.add(match);
                    }
                }
                octet = before;
            }
        }
    }
    std::printf("{\"heads\": %zu, \"mutants\": %llu, \"tunnels_before\": %llu, \"seed\": %llu, ",
                heads.size(),
                static_cast<unsigned long long>(mutants),
                static_cast<unsigned long long>(already),
                static_cast<unsigned long long>(seed));
    accused.print();
    std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) {
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    const std::string_view mode = argc > 1 ? arguments[1] : "";
    std::uint64_t count = 0;
    std::uint64_t seed = 1;
    for (std::size_t at = 2; at + 1 < arguments.size(); at += 2) {
        const std::string_view name = arguments[at];
        (name == "--count" ? count : seed) = std::strtoull(arguments[at + 1], nullptr, 10);
    }
    Heads heads;
    for (std::string name; std::getline(std::cin, name);) {
        read_heads(name, heads);
    }
    if (heads.empty()) {
        std::cerr << "flowclass_matching: no heads: give names of captures on standard input\n";
        return 1;
    }
    if (mode == "speed") {
        speed(heads, count == 0 ? 15 : count);
    } else if (mode == "random") {
        random_payload(heads, count == 0 ? 10'000'000 : count, seed);
    } else if (mode == "mutate") {
        mutate(heads, seed);
    } else {
        std::cerr
            << "usage: flowclass_matching speed|random|mutate [--count N] [--seed N] < LIST\n";
        return 2;
    }
    return 0;
}
