// What kernels need of a context, and the one way to launch them.
#ifndef LUFFY_CUDA_RUNTIME_H
#define LUFFY_CUDA_RUNTIME_H

#include "../common/kernels.h"
#include "device/platform.h"

#include <stdexcept>
#include <string>

namespace luffy {

class Blas;
class HostIntegers;
class Transfers;

struct Runtime {
    cudaStream_t stream;
    int32_t multiprocessors;
    int32_t compute_capability;     // 80, 90
    int32_t shared_memory_of_block; // bytes that a block may have at most
    bool wgmma;           // products of weights by wgmma rather than mma.sync; one choice for all, because their bits may differ
    bool checks_launches; // waits for each kernel, so that a fault is told with its name
    char* workspace;      // device memory for the length of one call, 256-byte aligned
    int64_t workspace_bytes;
    HostIntegers* integers;
    Transfers* transfers;
    Blas* blas; // makes products in the fast mode; null in the batch-invariant one
};

// Fails with what the driver says, after the name of what was tried.
inline void check(const char* what, cudaError_t status) {
    if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

// Blocks of so many that cover n.
constexpr int64_t blocks_of(int64_t n, int64_t each) { return (n + each - 1) / each; }

// A grid of one dimension that a kernel strides over: enough blocks to fill the device, none without work.
inline dim3 strided_grid(const Runtime& runtime, int64_t blocks_of_work, int blocks_of_multiprocessor = 8) {
    const int64_t most = int64_t{runtime.multiprocessors} * blocks_of_multiprocessor;
    return dim3(static_cast<unsigned>(blocks_of_work < most ? blocks_of_work : most));
}

// Starts kernel(arguments…); `name` is "operation.kernel". A grid without blocks is nothing to do.
template <class... Parameters, class... Arguments>
void launch(const Runtime& runtime, const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            const Arguments&... arguments) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    if (static_cast<int64_t>(shared_bytes) > runtime.shared_memory_of_block) {
        throw std::runtime_error(std::string(name) + ": it needs " + std::to_string(shared_bytes) +
                                 " bytes of a block's shared memory, and this GPU has " +
                                 std::to_string(runtime.shared_memory_of_block));
    }
    // More than this a kernel has to ask for.
    if (shared_bytes > 48 * 1024)
        check(name, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = grid;
    configuration.blockDim = block;
    configuration.dynamicSmemBytes = shared_bytes;
    configuration.stream = runtime.stream;
    check(name, cudaLaunchKernelEx(&configuration, kernel, static_cast<Parameters>(arguments)...));
    if (runtime.checks_launches) check(name, cudaStreamSynchronize(runtime.stream));
}

} // namespace luffy

#endif
