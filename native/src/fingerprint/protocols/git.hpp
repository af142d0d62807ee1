// Git's own transport (gitprotocol-pack), TCP: lines with their length in front.
//
//  client: four hexadecimal digits | "git-upload-pack /" or "git-receive-pack /" path 00 "host="
//  ... 00 server: length | 40 hexadecimal digits SP "HEAD" or "refs/" ... | "ERR " text | "version
//  1", "2"
//
// Sources: git Documentation: gitprotocol-pack, gitprotocol-common.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::git {

inline constexpr Rule kRequest{
    "git.request", "a service of git and a path behind a length; gitprotocol-pack §Git Transport"};
inline constexpr Rule kRefs{"git.refs",
                            "an object id of 40 digits and a reference behind a length; "
                            "gitprotocol-pack §Reference Discovery"};
inline constexpr Rule kVersion{
    "git.version",
    "the version that the server goes on in, behind a length; gitprotocol-v2 §Initial "
    "Client Request"};
inline constexpr Rule kLength{"git.length",
                              "the length in digits leads to another or to a segment end; "
                              "gitprotocol-common §pkt-line Format"};

inline constexpr std::array<std::uint16_t, 1> kPorts{9418};
inline constexpr std::array<const Rule*, 4> kRules{&kRequest, &kRefs, &kVersion, &kLength};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "git",
        .protocol_class = ProtocolClass::app,
        .title = "Git",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "git Documentation: gitprotocol-pack, gitprotocol-common, gitprotocol-v2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'0'}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static int value_of(std::uint8_t digit) noexcept {
        return is_digit(digit) ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        const Bytes stream = side.stream();
        if (stream.size() < 12) {
            return true;
        }
        std::size_t length = 0;
        for (std::size_t place = 0; place < 4; ++place) {
            const int digit = value_of(stream[place]);
            if (digit < 0) {
                return !side.from_start();
            }
            length = length * 16 + static_cast<std::size_t>(digit);
        }
        bool found = false;
        for (const std::string_view service :
             {"git-upload-pack /", "git-receive-pack /", "git-upload-archive /"}) {
            if (has_text(stream, service, 4)) {
                side.add(evidence,
                         kRequest,
                         4,
                         service.size(),
                         kLetterBits * static_cast<double>(service.size()) - 2);
                evidence.set_initiator(side.direction());
                found = true;
            }
        }
        if (!found && (has_text(stream, "version 1\n", 4) || has_text(stream, "version 2\n", 4))) {
            side.add(evidence, kVersion, 4, 10, kLetterBits * 10 - 2);
            found = true;
        }
        if (!found && is_reference(stream)) {
            // Forty digits of hexadecimal text 2 each, a space and a word 27.
            side.add(evidence, kRefs, 4, 45, 90);
            found = true;
        }
        if (found &&
            (side.is_end(length) || (length < side.size() && value_of(stream[length]) >= 0))) {
            side.add(evidence, kLength, 0, 4, 12);
        }
        return found;
    }

    static bool is_reference(Bytes stream) noexcept {
        for (std::size_t place = 4; place < 44; ++place) {
            if (place >= stream.size() || value_of(stream[place]) < 0) {
                return false;
            }
        }
        return has_text(stream, " HEAD", 44) || has_text(stream, " refs", 44);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::git
