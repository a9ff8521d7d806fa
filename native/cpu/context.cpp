#include "context.h"

#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace luffy {

namespace {

constexpr int64_t huge_page = int64_t{2} << 20;

// From this size on memory comes in whole huge pages: weights and activations are read end to end, and small pages make the
// processor look up addresses more often than data.
int64_t alignment_of(int64_t bytes) { return bytes >= 2 * huge_page ? huge_page : 64; }
int64_t rounded_up(int64_t bytes) { return (bytes + alignment_of(bytes) - 1) / alignment_of(bytes) * alignment_of(bytes); }

std::string processor_name() {
#if defined(__x86_64__)
    unsigned int words[12];
    if (__get_cpuid_max(0x80000000u, nullptr) >= 0x80000004u) {
        for (unsigned int i = 0; i < 3; i++)
            __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
        std::string name(reinterpret_cast<const char*>(words), sizeof words);
        name.resize(std::strlen(name.c_str()));
        while (!name.empty() && name.back() == ' ') name.pop_back();
        if (!name.empty()) return name;
    }
#endif
    return "unknown processor";
}

} // namespace

void* allocate_zeroed(int64_t bytes) {
    const int64_t size = rounded_up(bytes < 1 ? 1 : bytes);
    void* memory = ::operator new(static_cast<size_t>(size), std::align_val_t(alignment_of(size)), std::nothrow);
    if (memory == nullptr) return nullptr;
#if defined(__linux__)
    if (alignment_of(size) == huge_page) madvise(memory, static_cast<size_t>(size), MADV_HUGEPAGE);
#endif
    std::memset(memory, 0, static_cast<size_t>(size));
    return memory;
}

void free_zeroed(void* memory, int64_t bytes) {
    if (memory != nullptr) ::operator delete(memory, std::align_val_t(alignment_of(rounded_up(bytes < 1 ? 1 : bytes))));
}

CpuContext::CpuContext(const CpuKernels* chosen, int32_t threads) : lf_context(chosen, machine), pool(threads) {
    const int64_t each = (chosen->workspace_bytes() + 4095) / 4096 * 4096;
    workspaces = {static_cast<char*>(allocate_zeroed(each * threads)), FreeWorkspaces{each * threads}};
    if (workspaces == nullptr) throw std::bad_alloc();
    machine = {&pool, threads, each, workspaces.get()};
    description =
        processor_name() + ", " + chosen->isa + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

} // namespace luffy
