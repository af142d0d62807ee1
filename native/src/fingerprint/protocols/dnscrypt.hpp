// DNSCrypt version 2.
//
// Query:  client magic 8 | client key 32 | client nonce 12 | sealed, padded to 64: a length of 68
// and a multiple of 64 Answer: "r6fnvWj8" 8 | client nonce 12 | resolver nonce 12 | sealed Before
// them the resolver's certificate is asked for: a DNS question of type TXT for 2.dnscrypt-cert....
//
// Sources: DNSCrypt version 2 protocol specification.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::dnscrypt {

inline constexpr Rule kMagic{"dnscrypt.answer_magic",
                             "r6fnvWj8 in front of an answer; DNSCrypt protocol, §5.2"};
inline constexpr Rule kNonce{"dnscrypt.nonce_echo",
                             "the answer has the nonce of the query; DNSCrypt protocol, §5.2"};
inline constexpr Rule kSize{"dnscrypt.size",
                            "a query padded to a multiple of 64; DNSCrypt protocol, §5.1"};
inline constexpr Rule kCertificate{
    "dnscrypt.certificate",
    "a question for the certificate of a resolver, 2.dnscrypt-cert; DNSCrypt protocol, §7"};

inline constexpr std::array<std::string_view, 1> kVariants{"certificate"};
inline constexpr std::array<const Rule*, 4> kRules{&kMagic, &kNonce, &kSize, &kCertificate};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "dnscrypt",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "DNSCrypt",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "DNSCrypt version 2 protocol specification"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::all(),
        .least_length = 40,
        // An answer's magic; or the question for a certificate.
        .octets = {{{0, ByteSet::of({'r'})}, {1, ByteSet::of({'6'})}, {2, ByteSet::of({'f'})}}},
        .or_octets = {{{5, ByteSet::of({1})}, {12, ByteSet::of({1})}, {13, ByteSet::of({'2'})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::string_view kMagicWord = "r6fnvWj8";
        constexpr std::string_view kName{
            "\x01"
            "2\x0d"
            "dnscrypt-cert",
            16};
        Evidence evidence;
        std::array<bool, 2> told{};
        std::array<std::size_t, 2> asked{kMaxEntries, kMaxEntries};
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            const std::size_t side = index_of(payload.direction);
            const bool answer = has_text(payload.bytes, kMagicWord);
            if (answer && !told[side]) {
                evidence.add(kMagic, head, entry, 0, kMagicWord.size(), 44);
                add_nonce(evidence, head, payload, asked[index_of(opposite(payload.direction))]);
            } else if (has_text(payload.bytes, kName, 12) && at(payload.bytes, 4).be16() == 1) {
                if (!told[side]) {
                    evidence.add(kCertificate, head, entry, 12, kName.size(), 64);
                    evidence.add(kCertificate, head, entry, 4, 2, 8);
                }
                const bool response = (at(payload.bytes, 2).u8() & 0x80U) != 0;
                evidence.set_initiator(response ? opposite(payload.direction) : payload.direction);
                evidence.set_variant("certificate");
            } else {
                asked[side] = !answer && payload.length >= kLeastQuery ? entry : asked[side];
                continue;
            }
            told[side] = true;
            if (answer) {
                evidence.set_initiator(opposite(payload.direction));
                evidence.set_variant("");
            }
        }
        return evidence;
    }

  private:
    static constexpr std::uint32_t kLeastQuery = 132;

    static void add_nonce(Evidence& evidence,
                          const FlowHead& head,
                          const Payload& answer,
                          std::size_t asked) noexcept {
        if (asked >= kMaxEntries) {
            return;
        }
        const Payload query = head.payload(asked);
        const Bytes sent = at(query.bytes, 40).bytes(12);
        const Bytes back = at(answer.bytes, 8).bytes(12);
        if (!sent.empty() && sent.size() == back.size() &&
            std::equal(sent.begin(), sent.end(), back.begin())) {
            evidence.add(kNonce, head, answer.entry, 8, 12, 90);
            if ((query.length - 68) % 64 == 0) {
                evidence.add(kSize, head, asked, 0, 0, 6);
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dnscrypt
