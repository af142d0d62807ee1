// Loading libpcap and calling it. The declarations are our own, of functions whose names and
// signatures are the same since libpcap 1.0 (manual pages pcap_open_dead(3PCAP),
// pcap_compile(3PCAP), pcap_freecode(3PCAP), pcap_geterr(3PCAP)).
#include "capture/bpf_filter.hpp"

#include <dlfcn.h>

#include <array>
#include <cstring>
#include <mutex>
#include <optional>

#include "packet/packet_view.hpp"

namespace flowclass::capture {

namespace {

constexpr std::array<const char*, 3> kNames{"libpcap.so.1", "libpcap.so.0.8", "libpcap.so"};
constexpr std::uint16_t kReturnConstant = 0x06;    // BPF_RET | BPF_K, linux/bpf_common.h
constexpr std::uint32_t kNoNetmask = 0xffffffffU;  // PCAP_NETMASK_UNKNOWN
constexpr int kDltRaw = 12;                        // DLT_RAW, which is 101 as a LINKTYPE

// As in libpcap.
struct Handle;
struct Program {
    unsigned int length = 0;
    const FilterInstruction* instructions = nullptr;
};

struct Library {
    Handle* (*open_dead)(int, int) = nullptr;
    void (*close)(Handle*) = nullptr;
    int (*compile)(Handle*, Program*, const char*, int, std::uint32_t) = nullptr;
    void (*free_code)(Program*) = nullptr;
    char* (*error)(Handle*) = nullptr;
};

template <typename Function>
bool find(void* handle, const char* symbol, Function& out) noexcept {
    // As POSIX has it: dlsym(3), "RATIONALE".
    const void* const found = ::dlsym(handle, symbol);
    static_assert(sizeof found == sizeof out);
    std::memcpy(static_cast<void*>(&out), static_cast<const void*>(&found), sizeof out);
    return found != nullptr;
}

std::optional<Library> load(std::span<const char* const> names) noexcept {
    for (const char* const name : names) {
        void* const handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (handle == nullptr) {
            continue;
        }
        Library library;
        if (find(handle, "pcap_open_dead", library.open_dead) &&
            find(handle, "pcap_close", library.close) &&
            find(handle, "pcap_compile", library.compile) &&
            find(handle, "pcap_freecode", library.free_code) &&
            find(handle, "pcap_geterr", library.error)) {
            return library;  // stays loaded: its functions are kept
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

// libpcap's compiler was not safe for threads before 1.8.
std::mutex& compiling() noexcept {
    static std::mutex mutex;
    return mutex;
}

}  // namespace

FilterProgram take_all(std::uint32_t snap_length) {
    return {{.code = kReturnConstant, .constant = snap_length}};
}

base::Result<FilterProgram> compile_filter(const std::string& text,
                                           std::uint32_t link_type,
                                           std::uint32_t snap_length) {
    const Library* const pcap = library();
    if (pcap == nullptr) {
        return base::Error{
            "a filter needs libpcap, which was not found; install it (e.g. the package libpcap0.8),"
            " or leave the filter out"};
    }
    const std::scoped_lock lock(compiling());
    const int link = link_type == static_cast<std::uint32_t>(packet::LinkType::raw)
                         ? kDltRaw
                         : static_cast<int>(link_type);
    Handle* const handle = pcap->open_dead(link, static_cast<int>(snap_length));
    if (handle == nullptr) {
        return base::Error{"libpcap gave no room to compile the filter"};
    }
    Program program;
    if (pcap->compile(handle, &program, text.c_str(), 1, kNoNetmask) != 0) {
        base::Error error{"the filter \"" + text + "\" cannot be compiled: " + pcap->error(handle) +
                          "; write it as for tcpdump, see pcap-filter(7)"};
        pcap->close(handle);
        return error;
    }
    const std::span instructions(program.instructions, program.length);
    FilterProgram out(instructions.begin(), instructions.end());
    pcap->free_code(&program);
    pcap->close(handle);
    return out;
}

bool can_load_libpcap(std::span<const char* const> names) noexcept {
    return load(names).has_value();
}

}  // namespace flowclass::capture
