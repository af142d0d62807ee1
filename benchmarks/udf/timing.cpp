// What a user's fingerprint costs a head beside one of the build: both asked of the same heads, in
// turn, in one process. Takes: the names of captures, the name of the build's, the address of the
// other. Gives: for each nanoseconds a head, the least and the median of the rounds, and of how
// many heads it said something; the caller checks that these are the same heads.
#include <time.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "capture/mapped_file.hpp"
#include "engine/shard.hpp"
#include "fingerprint/user_matchers.hpp"

namespace {

using namespace flowclass;
using Heads = std::vector<std::unique_ptr<engine::HeadStore::Restored>>;

double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

bool read_heads(const std::string& name, Heads& out) {
    auto opened = capture::MappedFile::open(name);
    if (!opened.ok()) {
        return false;
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
    return true;
}

// Asks one fingerprint of a head as the engine does: prefilter, call, and what it says beside what
// others said.
template <typename Ask>
struct Side {
    Ask ask;
    std::vector<double> seconds;
    std::uint64_t found = 0;

    void round(const Heads& heads, fingerprint::Match& match) {
        found = 0;
        const double begin = processor_seconds();
        for (const auto& restored : heads) {
            match.matcher = fingerprint::kNoMatcher;
            match.tier = fingerprint::Tier::none;
            match.alternative_count = 0;
            ask(restored->head, match);
            found += match.tier != fingerprint::Tier::none ? 1U : 0U;
        }
        seconds.push_back(processor_seconds() - begin);
    }
    void write(std::size_t heads, std::span<double, 3> out) {
        std::sort(seconds.begin(), seconds.end());
        out[0] = 1e9 * seconds.front() / static_cast<double>(heads);
        out[1] = 1e9 * seconds[seconds.size() / 2] / static_cast<double>(heads);
        out[2] = static_cast<double>(found);
    }
};
template <typename Ask>
Side<Ask> side(Ask ask) {
    return {ask, {}, 0};
}

}  // namespace

// `names`: one a line. `out`: least and median nanoseconds and heads found, of the build's and of
// the user's; then how many heads there were. 0 when all went well.
extern "C" __attribute__((visibility("default"))) int flowclass_time_fingerprints(
    const char* names,
    const char* built,
    fingerprint::UserFunction function,
    std::uint32_t rules,
    std::uint32_t rounds,
    double* out) {
    Heads all;
    std::istringstream lines(names);
    for (std::string name; std::getline(lines, name);) {
        if (!read_heads(name, all)) {
            return 1;
        }
    }
    const auto matchers = fingerprint::matchers();
    const auto entry = std::find_if(matchers.begin(), matchers.end(), [built](const auto& one) {
        return one.name == std::string_view(built);
    });
    if (entry == matchers.end() || rounds == 0) {
        return 2;
    }
    fingerprint::UserMatcher given;
    given.protocol = "user";
    given.rules.resize(rules);
    given.prefilter = *entry->prefilter;
    given.function = function;
    const fingerprint::UserMatchers user({given});
    // Both are asked of the heads that the prefilter lets pass: there the work is.
    std::erase_if(all, [&entry](const auto& one) {
        return !fingerprint::passes(*entry->prefilter, one->head);
    });
    fingerprint::UserFaults faults;
    auto ours = side([&entry](const head::FlowHead& head, fingerprint::Match& match) {
        if (fingerprint::passes(*entry->prefilter, head)) {
            const fingerprint::Evidence found = entry->match(head);
            if (!found.empty()) {
                fingerprint::consider(match, 0, found);
            }
        }
    });
    auto theirs = side([&user, &faults](const head::FlowHead& head, fingerprint::Match& match) {
        user.match(head, match, faults);
    });
    fingerprint::Match match;
    for (std::uint32_t round = 0; round < rounds; ++round) {
        ours.round(all, match);
        theirs.round(all, match);
    }
    const std::span<double, 7> figures(out, 7);
    ours.write(all.size(), figures.subspan<0, 3>());
    theirs.write(all.size(), figures.subspan<3, 3>());
    figures[6] = static_cast<double>(all.size());
    return faults.failed[0] + faults.refused[0] == 0 ? 0 : 3;
}
