// Lists are made once, at first use, and never change.
#include "batch/dictionaries.hpp"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "fingerprint/link.hpp"
#include "fingerprint/match.hpp"

namespace flowclass::batch {

namespace {

struct Protocols {
    std::vector<std::string> names;
    std::vector<std::size_t> by_matcher;
    std::size_t unknown = 0;

    Protocols() {
        names.emplace_back("unknown");
        for (const auto& matcher : fingerprint::matchers()) {
            names.emplace_back(matcher.info->protocol);
        }
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
        const auto place = [this](std::string_view wanted) {
            return static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), wanted) -
                                            names.begin());
        };
        for (const auto& matcher : fingerprint::matchers()) {
            by_matcher.push_back(place(matcher.info->protocol));
        }
        unknown = place("unknown");
    }
};

// Rules by address: evidence is written by the million, so the place is found without comparing
// texts.
struct Rules {
    static constexpr std::size_t kPlaces =
        4096;  // a power of two, several times the rules there are
    std::vector<std::string> names;
    std::vector<std::pair<const fingerprint::Rule*, std::size_t>> places;

    Rules() : places(kPlaces) {
        std::vector<const fingerprint::Rule*> all;
        for (const auto& matcher : fingerprint::matchers()) {
            all.insert(all.end(), matcher.info->rules.begin(), matcher.info->rules.end());
        }
        for (const fingerprint::LinkRule& link : fingerprint::kLinkRules) {
            all.push_back(&link.rule);
        }
        for (const fingerprint::Rule* rule : all) {
            names.emplace_back(rule->id);
        }
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
        for (const fingerprint::Rule* rule : all) {
            auto& place = places[find(rule)];
            const auto name = std::lower_bound(names.begin(), names.end(), rule->id);
            place = {rule, static_cast<std::size_t>(name - names.begin())};
        }
    }
    [[nodiscard]] std::size_t find(const fingerprint::Rule* rule) const noexcept {
        std::size_t place =
            std::hash<const fingerprint::Rule*>{}(rule) / alignof(fingerprint::Rule) % kPlaces;
        while (places[place].first != rule && places[place].first != nullptr) {
            place = (place + 1) % kPlaces;
        }
        return place;
    }
};

const Rules& rules() {
    static const Rules built;
    return built;
}

const Protocols& protocols() {
    static const Protocols built;
    return built;
}

}  // namespace

const std::vector<std::string>& protocol_names() {
    return protocols().names;
}

std::size_t protocol_index(std::uint16_t matcher) noexcept {
    const Protocols& all = protocols();
    return matcher < all.by_matcher.size() ? all.by_matcher[matcher] : all.unknown;
}

const std::vector<std::string>& rule_names() {
    return rules().names;
}

std::size_t rule_index(const fingerprint::Rule* rule) noexcept {
    const Rules& all = rules();
    return all.places[all.find(rule)].second;
}

std::vector<std::string> protocol_names(const fingerprint::UserMatchers* user) {
    std::vector<std::string> names = protocol_names();
    for (std::size_t number = 0; user != nullptr && number < user->size(); ++number) {
        names.emplace_back(user->info(number).protocol);
    }
    return names;
}

std::size_t protocol_index(std::uint16_t matcher, const fingerprint::UserMatchers* user) noexcept {
    const std::size_t built = fingerprint::matchers().size();
    return user == nullptr || matcher == fingerprint::kNoMatcher || matcher < built
               ? protocol_index(matcher)
               : protocol_names().size() + (matcher - built);
}

std::vector<std::string> rule_names(const fingerprint::UserMatchers* user) {
    std::vector<std::string> names = rule_names();
    if (user != nullptr) {
        for (const fingerprint::Rule& rule : user->rules()) {
            names.emplace_back(rule.id);
        }
    }
    return names;
}

std::size_t rule_index(const fingerprint::Rule* rule,
                       const fingerprint::UserMatchers* user) noexcept {
    const std::size_t place = user == nullptr ? 0 : user->place_of(rule);
    return user == nullptr || place == user->rules().size() ? rule_index(rule)
                                                            : rule_names().size() + place;
}

}  // namespace flowclass::batch
