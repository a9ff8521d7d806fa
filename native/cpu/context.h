// The CPU's context: kernels of the chosen instruction set, threads, workspaces.
#ifndef LUFFY_CPU_CONTEXT_H
#define LUFFY_CPU_CONTEXT_H

#include "../common/context.h"
#include "kernels.h"
#include "thread_pool.h"

#include <memory>
#include <string>
#include <unordered_map>

namespace luffy {

// Zeroed memory, 64-byte aligned; null where there is not that much.
void* allocate_zeroed(int64_t bytes);
void free_zeroed(void* memory, int64_t bytes);

struct FreeWorkspaces {
    int64_t bytes;
    void operator()(char* memory) const { free_zeroed(memory, bytes); }
};

struct CpuContext final : lf_context {
    ThreadPool pool;
    std::unique_ptr<char, FreeWorkspaces> workspaces;
    Runtime machine;
    std::string description;
    std::unordered_map<void*, int64_t> memory; // sizes of what allocate() gave out

    CpuContext(const CpuKernels* chosen, int32_t threads);
};

} // namespace luffy

#endif
