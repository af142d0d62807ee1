// What all matchers share: words in octets, lists of fixed room, copies of evidence.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "fingerprint/contract.hpp"
#include "fingerprint/few.hpp"
#include "fingerprint/text.hpp"

namespace {

using namespace flowclass::fingerprint;

std::vector<std::uint8_t> octets(std::string_view text) {
    return {text.begin(), text.end()};
}

// The plain way: every place is tried.
std::size_t found_plainly(Bytes bytes, std::string_view text, std::size_t from) {
    for (std::size_t place = from; place + text.size() <= bytes.size(); ++place) {
        const Bytes part = bytes.subspan(place, text.size());
        if (std::equal(part.begin(), part.end(), text.begin(), text.end())) {
            return place;
        }
    }
    return bytes.size();
}

constexpr Rule kOne{"test.one", "one"};
constexpr Rule kTwo{"test.two", "two"};

}  // namespace

TEST(fingerprint_has_text) {
    const auto stream = octets("GET / HTTP/1.1");
    CHECK(has_text(stream, "GET "));
    CHECK(has_text(stream, "HTTP/1.1", 6));
    CHECK(!has_text(stream, "HTTP/1.1", 7));
    CHECK(!has_text(stream, "HTTP/1.10", 6));
    CHECK(!has_text(stream, "GEX"));
    CHECK(has_text(stream, "", stream.size()));
    CHECK(!has_text(stream, "", stream.size() + 1));
    CHECK(!has_text(stream, "G", SIZE_MAX));
    CHECK(!has_text({}, "G"));
    CHECK(has_text({}, ""));
}

TEST(fingerprint_find_text_is_the_plain_search) {
    const auto stream = octets("\r\r\nA: b\r\n\r\nA: c\r\nA\r\n");
    for (const std::string_view text : {"\r\n\r\n",
                                        "\r\nA: ",
                                        "\r\nA",
                                        "\r\n",
                                        "\r",
                                        "A: c\r\n",
                                        "A",
                                        "\r\nB",
                                        "\n",
                                        "c\r\nA\r\n"}) {
        for (std::size_t from = 0; from <= stream.size() + 2; ++from) {
            for (std::size_t size = 0; size <= stream.size(); ++size) {
                const Bytes part = Bytes(stream).first(size);
                CHECK_EQ(find_text(part, text, from), found_plainly(part, text, from));
            }
        }
    }
}

TEST(fingerprint_few_keeps_the_first) {
    Few<std::array<int, 3>, 2> few;
    CHECK(few.empty());
    few.add({1, 2, 3});
    few.add({4, 5, 6});
    few.add({7, 8, 9});
    CHECK_EQ(few.size(), 2U);
    CHECK_EQ(few[0][0], 1);
    CHECK_EQ(few[1][2], 6);
    const Few<std::array<int, 3>, 2> copy = few;
    CHECK_EQ(copy.size(), 2U);
    CHECK_EQ(copy[1][0], 4);
}

TEST(fingerprint_evidence_copies_all_it_has) {
    FlowHead head;
    head.entry_count = 2;
    head.entries[0] = {.time = 5, .length = 20, .packet = 1};
    head.entries[1] = {.time = 6, .length = 20, .packet = 2, .direction = Direction::reverse};
    Evidence evidence;
    for (std::size_t count = 0; count < Evidence::kMaxChecks + 3; ++count) {
        evidence.add(count % 2 == 0 ? kOne : kTwo, head, count % 2, count, 1, 2);
        const Evidence copy = evidence;
        CHECK_EQ(copy.checks().size(), evidence.checks().size());
        CHECK_EQ(copy.checks().back().rule, evidence.checks().back().rule);
        CHECK_EQ(copy.checks().back().offset, evidence.checks().back().offset);
        CHECK_EQ(copy.bits(), evidence.bits());
    }
    evidence.set_variant("variant");
    evidence.set_initiator(Direction::reverse);
    evidence.set_assigned_ip_protocol();
    evidence.set_link_token(7);
    Evidence copy;
    copy.add(kTwo, head, 0, 0, 1, 60);
    copy = evidence;
    CHECK_EQ(copy.variant(), "variant");
    CHECK(copy.initiator() == Initiator::reverse);
    CHECK(copy.assigned_ip_protocol());
    CHECK(copy.both_directions());
    CHECK_EQ(copy.link_token(), 7U);
    CHECK_EQ(copy.bits(), evidence.bits());
    copy = Evidence();
    CHECK(copy.empty());
    CHECK_EQ(copy.checks().size(), 0U);
}
