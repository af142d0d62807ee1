// Loading libcrypto and calling it. The declarations are our own, of functions whose names and
// signatures are the same in OpenSSL 1.1 and 3 (manual pages EVP_DigestInit(3), EVP_EncryptInit(3),
// HMAC(3), OPENSSL_VERSION_NUMBER(3)).
#include "crypto/libcrypto.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace flowclass::crypto {

namespace {

using base::Bytes;

// Unversioned names stay out: a development link may lead to any version, and macOS ends a program
// that loads its own /usr/lib/libcrypto.dylib.
constexpr std::array<const char*, 5> kNames{"libcrypto.so.3",
                                            "libcrypto.so.1.1",
                                            "libcrypto.3.dylib",
                                            "/opt/homebrew/lib/libcrypto.3.dylib",
                                            "/usr/local/lib/libcrypto.3.dylib"};
constexpr int kSetTag = 0x11;  // EVP_CTRL_AEAD_SET_TAG

// Opaque, as in OpenSSL.
struct Md;
struct MdCtx;
struct Cipher;
struct CipherCtx;
struct HmacCtx;
struct Engine;
struct LibCtx;
using Octet = unsigned char;

struct Library {
    const char* (*version)(int) = nullptr;
    MdCtx* (*md_ctx_new)() = nullptr;
    void (*md_ctx_free)(MdCtx*) = nullptr;
    int (*digest_init)(MdCtx*, const Md*, Engine*) = nullptr;
    int (*digest_update)(MdCtx*, const void*, std::size_t) = nullptr;
    int (*digest_final)(MdCtx*, Octet*, unsigned int*) = nullptr;
    HmacCtx* (*hmac_ctx_new)() = nullptr;
    void (*hmac_ctx_free)(HmacCtx*) = nullptr;
    int (*hmac_init)(HmacCtx*, const void*, int, const Md*, Engine*) = nullptr;
    int (*hmac_update)(HmacCtx*, const Octet*, std::size_t) = nullptr;
    int (*hmac_final)(HmacCtx*, Octet*, unsigned int*) = nullptr;
    CipherCtx* (*cipher_ctx_new)() = nullptr;
    void (*cipher_ctx_free)(CipherCtx*) = nullptr;
    int (*cipher_ctrl)(CipherCtx*, int, int, void*) = nullptr;
    int (*encrypt_init)(CipherCtx*, const Cipher*, Engine*, const Octet*, const Octet*) = nullptr;
    int (*encrypt_update)(CipherCtx*, Octet*, int*, const Octet*, int) = nullptr;
    int (*decrypt_init)(CipherCtx*, const Cipher*, Engine*, const Octet*, const Octet*) = nullptr;
    int (*decrypt_update)(CipherCtx*, Octet*, int*, const Octet*, int) = nullptr;
    int (*decrypt_final)(CipherCtx*, Octet*, int*) = nullptr;

    const Md* sha256 = nullptr;
    const Cipher* aes_ecb = nullptr;
    const Cipher* aes_gcm = nullptr;
    std::string_view name;
};

template <typename Function>
bool find(void* handle, const char* symbol, Function& out) noexcept {
    // As POSIX has it: dlsym(3), "RATIONALE".
    const void* const found = ::dlsym(handle, symbol);
    static_assert(sizeof found == sizeof out);
    std::memcpy(static_cast<void*>(&out), static_cast<const void*>(&found), sizeof out);
    return found != nullptr;
}

bool find_functions(void* handle, Library& out) noexcept {
    return find(handle, "OpenSSL_version", out.version) &&
           find(handle, "EVP_MD_CTX_new", out.md_ctx_new) &&
           find(handle, "EVP_MD_CTX_free", out.md_ctx_free) &&
           find(handle, "EVP_DigestInit_ex", out.digest_init) &&
           find(handle, "EVP_DigestUpdate", out.digest_update) &&
           find(handle, "EVP_DigestFinal_ex", out.digest_final) &&
           find(handle, "HMAC_CTX_new", out.hmac_ctx_new) &&
           find(handle, "HMAC_CTX_free", out.hmac_ctx_free) &&
           find(handle, "HMAC_Init_ex", out.hmac_init) &&
           find(handle, "HMAC_Update", out.hmac_update) &&
           find(handle, "HMAC_Final", out.hmac_final) &&
           find(handle, "EVP_CIPHER_CTX_new", out.cipher_ctx_new) &&
           find(handle, "EVP_CIPHER_CTX_free", out.cipher_ctx_free) &&
           find(handle, "EVP_CIPHER_CTX_ctrl", out.cipher_ctrl) &&
           find(handle, "EVP_EncryptInit_ex", out.encrypt_init) &&
           find(handle, "EVP_EncryptUpdate", out.encrypt_update) &&
           find(handle, "EVP_DecryptInit_ex", out.decrypt_init) &&
           find(handle, "EVP_DecryptUpdate", out.decrypt_update) &&
           find(handle, "EVP_DecryptFinal_ex", out.decrypt_final);
}

// The algorithm's object. OpenSSL 3 would look it up by name at every use of the object that the
// old function gives (twice the time of a short digest); fetched once it does not.
template <typename Object>
const Object* algorithm(void* handle,
                        const char* fetcher,
                        const char* name,
                        const char* old_function) noexcept {
    Object* (*fetch)(LibCtx*, const char*, const char*) = nullptr;
    if (find(handle, fetcher, fetch)) {
        const Object* fetched = fetch(nullptr, name, nullptr);
        if (fetched != nullptr) {
            return fetched;
        }
    }
    const Object* (*old)() = nullptr;
    return find(handle, old_function, old) ? old() : nullptr;
}

// "OpenSSL 3.0.22 25 Aug 2026": the first two words.
std::string_view first_two_words(std::string_view text) noexcept {
    const std::size_t first = text.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : text.find(' ', first + 1);
    return text.substr(0, second);
}

// The library stays open as long as the program runs: threads hold contexts of it.
std::optional<Library> load(std::span<const char* const> names) noexcept {
    for (const char* const name : names) {
        void* const handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (handle == nullptr) {
            continue;
        }
        Library found;
        if (find_functions(handle, found)) {
            found.sha256 = algorithm<Md>(handle, "EVP_MD_fetch", "SHA2-256", "EVP_sha256");
            found.aes_ecb =
                algorithm<Cipher>(handle, "EVP_CIPHER_fetch", "AES-128-ECB", "EVP_aes_128_ecb");
            found.aes_gcm =
                algorithm<Cipher>(handle, "EVP_CIPHER_fetch", "AES-128-GCM", "EVP_aes_128_gcm");
            if (found.sha256 != nullptr && found.aes_ecb != nullptr && found.aes_gcm != nullptr) {
                const char* const version = found.version(0);
                found.name = version != nullptr ? first_two_words(version) : "libcrypto";
                return found;
            }
        }
        ::dlclose(handle);
    }
    return std::nullopt;
}

// nullptr where there is none.
const Library* library() noexcept {
    static const std::optional<Library> loaded = load(kNames);
    return loaded ? &*loaded : nullptr;
}

// One thread's contexts.
class Contexts {
  public:
    Contexts() noexcept {
        const Library* const lib = library();
        if (lib != nullptr) {
            md = lib->md_ctx_new();
            hmac = lib->hmac_ctx_new();
            ecb = lib->cipher_ctx_new();
            gcm = lib->cipher_ctx_new();
        }
    }
    ~Contexts() {
        const Library* const lib = library();
        if (lib != nullptr) {
            lib->md_ctx_free(md);
            lib->hmac_ctx_free(hmac);
            lib->cipher_ctx_free(ecb);
            lib->cipher_ctx_free(gcm);
        }
    }
    Contexts(const Contexts&) = delete;
    Contexts& operator=(const Contexts&) = delete;

    MdCtx* md = nullptr;
    HmacCtx* hmac = nullptr;
    CipherCtx* ecb = nullptr;
    CipherCtx* gcm = nullptr;
};

Contexts& contexts() noexcept {
    thread_local Contexts kept;
    return kept;
}

bool open_update(
    const Library& lib, CipherCtx* context, Octet* out, Bytes octets, int& written) noexcept {
    return lib.decrypt_update(
               context, out, &written, octets.data(), static_cast<int>(octets.size())) == 1;
}

}  // namespace

bool libcrypto_available() noexcept {
    return library() != nullptr;
}

std::string_view crypto_library() noexcept {
    const Library* const lib = library();
    return lib != nullptr ? lib->name : std::string_view{};
}

bool can_load_libcrypto(std::span<const char* const> names) noexcept {
    return load(names).has_value();
}

bool sha256(Bytes octets, Digest& out) noexcept {
    const Library* const lib = library();
    MdCtx* const context = lib != nullptr ? contexts().md : nullptr;
    return context != nullptr && lib->digest_init(context, lib->sha256, nullptr) == 1 &&
           lib->digest_update(context, octets.data(), octets.size()) == 1 &&
           lib->digest_final(context, out.data(), nullptr) == 1;
}

bool hmac_sha256(Bytes key, Bytes octets, Digest& out) noexcept {
    const Library* const lib = library();
    HmacCtx* const context = lib != nullptr ? contexts().hmac : nullptr;
    unsigned int written = 0;
    return context != nullptr &&
           lib->hmac_init(
               context, key.data(), static_cast<int>(key.size()), lib->sha256, nullptr) == 1 &&
           lib->hmac_update(context, octets.data(), octets.size()) == 1 &&
           lib->hmac_final(context, out.data(), &written) == 1;
}

bool aes128_block(const AesKey& key, Bytes block, AesBlock& out) noexcept {
    const Library* const lib = library();
    CipherCtx* const context = lib != nullptr ? contexts().ecb : nullptr;
    int written = 0;
    return context != nullptr && block.size() == kAesBlockLength &&
           lib->encrypt_init(context, lib->aes_ecb, nullptr, key.data(), nullptr) == 1 &&
           lib->encrypt_update(
               context, out.data(), &written, block.data(), static_cast<int>(block.size())) == 1 &&
           std::cmp_equal(written, kAesBlockLength);
}

AesEncryptor::AesEncryptor(const AesKey& key) noexcept {
    const Library* const lib = library();
    CipherCtx* const context = lib != nullptr ? lib->cipher_ctx_new() : nullptr;
    if (context != nullptr &&
        lib->encrypt_init(context, lib->aes_ecb, nullptr, key.data(), nullptr) != 1) {
        lib->cipher_ctx_free(context);
        return;
    }
    context_ = context;
}

AesEncryptor::~AesEncryptor() {
    if (context_ != nullptr) {
        library()->cipher_ctx_free(static_cast<CipherCtx*>(context_));
    }
}

bool AesEncryptor::encrypt(Bytes blocks, std::span<std::uint8_t> out) noexcept {
    int written = 0;
    return context_ != nullptr && blocks.size() % kAesBlockLength == 0 &&
           out.size() >= blocks.size() && std::in_range<int>(blocks.size()) &&
           library()->encrypt_update(static_cast<CipherCtx*>(context_),
                                     out.data(),
                                     &written,
                                     blocks.data(),
                                     static_cast<int>(blocks.size())) == 1 &&
           std::cmp_equal(written, blocks.size());
}

bool aes128_gcm_open(const AesKey& key,
                     const GcmNonce& nonce,
                     std::initializer_list<Bytes> associated,
                     Bytes sealed,
                     std::span<std::uint8_t> out) noexcept {
    const Library* const lib = library();
    CipherCtx* const context = lib != nullptr ? contexts().gcm : nullptr;
    if (context == nullptr || sealed.size() < kGcmTagLength ||
        out.size() < sealed.size() - kGcmTagLength ||
        lib->decrypt_init(context, lib->aes_gcm, nullptr, key.data(), nonce.data()) != 1) {
        return false;
    }
    int written = 0;
    for (const Bytes part : associated) {
        if (!part.empty() && !open_update(*lib, context, nullptr, part, written)) {
            return false;
        }
    }
    const Bytes text = sealed.first(sealed.size() - kGcmTagLength);
    AesBlock tag{};
    std::copy_n(sealed.last(kGcmTagLength).begin(), tag.size(), tag.begin());
    AesBlock rest{};  // GCM leaves nothing for the last call to write
    return open_update(*lib, context, out.data(), text, written) &&
           lib->cipher_ctrl(
               context, kSetTag, static_cast<int>(tag.size()), static_cast<void*>(tag.data())) ==
               1 &&
           lib->decrypt_final(context, rest.data(), &written) == 1;
}

}  // namespace flowclass::crypto
