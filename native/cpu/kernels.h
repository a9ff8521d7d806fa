// What an instruction set's table holds beyond the one that every library has.
#ifndef LUFFY_CPU_KERNELS_H
#define LUFFY_CPU_KERNELS_H

#include "../common/kernels.h"
#include "runtime.h"

namespace luffy {

struct CpuKernels : Kernels {
    const char* isa;
    int64_t (*workspace_bytes)(); // the most that any kernel uses of a thread's memory

    // Diagnostics: operations done; a read of memory that is a whole number of megabytes
    double (*multiply_adds[2])(const Runtime&, int64_t iterations);
    void (*read_memory)(const Runtime&, const void* memory, int64_t megabytes);
};

// The per-token objective of rows first … last − 1: statistics 3 to 7, and d(policy + KL term)/d ln p before the token's weight.
void evaluate_policy_tokens(const PolicyArguments& arguments, float* gradients, int64_t first, int64_t last);

const CpuKernels* avx2_kernels();
const CpuKernels* avx512_kernels();
const CpuKernels* avx512bf16_kernels();

} // namespace luffy

#endif
