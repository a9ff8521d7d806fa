// The context of one GPU: a stream, a workspace, pinned staging and the mirror of integers.
#ifndef LUFFY_CUDA_CONTEXT_H
#define LUFFY_CUDA_CONTEXT_H

#include "../common/context.h"
#include "blas.h"
#include "host_integers.h"
#include "transfers.h"

#include <memory>
#include <string>
#include <unordered_map>

namespace luffy {

// Every operation's entries; each ops/{op}.cu adds its own.
const Kernels* cuda_kernels();

struct CudaContext final : lf_context {
    struct Memory {
        int64_t bytes;
        bool on_host;
    };

    Runtime machine{};
    HostIntegers integers;
    std::unique_ptr<Transfers> transfers;
    std::unique_ptr<Blas> blas;
    std::unordered_map<void*, Memory> memory; // what allocate() gave out
    std::string description;

    // options.isa is mma, wgmma or null: the environment's choice, then the best that the device has.
    CudaContext(const cudaDeviceProp& device, const lf_context_options& options);
    ~CudaContext();
    CudaContext(const CudaContext&) = delete;
    CudaContext& operator=(const CudaContext&) = delete;
};

} // namespace luffy

#endif
