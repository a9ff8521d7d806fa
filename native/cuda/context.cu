#include "context.h"

#include <cstdlib>
#include <cstring>

namespace luffy {

namespace {

// Partial sums of split reductions, groups of ids; the operations work in pieces that fit.
constexpr int64_t workspace_bytes = int64_t{64} << 20;

// An environment variable's value, or null where it is unset or empty.
const char* setting(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr || *value == 0 ? nullptr : value;
}

bool flag(const char* name) {
    const char* value = setting(name);
    if (value == nullptr || std::strcmp(value, "0") == 0) return false;
    if (std::strcmp(value, "1") == 0) return true;
    throw std::runtime_error(std::string(name) + " is '" + value + "'; it may be 0 or 1");
}

// Which instructions multiply by weights.
bool chooses_wgmma(const char* asked, int32_t compute_capability) {
    const bool possible = compute_capability == 90;
    const char* value = asked != nullptr ? asked : setting("LUFFY_CUDA_PRODUCTS");
    if (value == nullptr) return possible;
    if (std::strcmp(value, "mma") == 0) return false;
    if (std::strcmp(value, "wgmma") != 0)
        throw std::runtime_error(std::string("products on a GPU are made by mma or wgmma, not by '") + value + "'");
    if (!possible)
        throw std::runtime_error("products were asked to be made by wgmma, which only GPUs of compute capability 9.0 have");
    return true;
}

} // namespace

CudaContext::CudaContext(const cudaDeviceProp& device, const lf_context_options& options) : lf_context(cuda_kernels(), machine) {
    machine.multiprocessors =
        options.threads > 0 && options.threads < device.multiProcessorCount ? options.threads : device.multiProcessorCount;
    machine.compute_capability = device.major * 10 + device.minor;
    machine.shared_memory_of_block = static_cast<int32_t>(device.sharedMemPerBlockOptin);
    machine.wgmma = chooses_wgmma(options.isa, machine.compute_capability);
    machine.checks_launches = flag("LUFFY_CUDA_CHECK");
    if (options.fast != 0 || flag("LUFFY_CUDA_FAST")) blas = std::make_unique<Blas>();
    machine.blas = blas.get();
    check("stream", cudaStreamCreateWithFlags(&machine.stream, cudaStreamNonBlocking));
    void* workspace = nullptr;
    check("workspace", cudaMalloc(&workspace, static_cast<size_t>(workspace_bytes)));
    machine.workspace = static_cast<char*>(workspace);
    machine.workspace_bytes = workspace_bytes;
    transfers = std::make_unique<Transfers>(machine.stream);
    machine.integers = &integers;
    machine.transfers = transfers.get();
    description = std::string(device.name) + ", compute capability " + std::to_string(device.major) + "." +
                  std::to_string(device.minor) + ", " + std::to_string(device.multiProcessorCount) +
                  " multiprocessors, products by " + (machine.wgmma ? "wgmma" : "mma.sync") +
                  (blas != nullptr ? " and, not batch-invariant, cuBLASLt" : "") + ", " +
                  std::to_string(device.totalGlobalMem >> 20) + " MiB; no GPU has run these kernels yet";
}

CudaContext::~CudaContext() {
    if (machine.stream != nullptr) cudaStreamSynchronize(machine.stream);
    transfers.reset();
    for (const auto& [address, what] : memory) what.on_host ? cudaFreeHost(address) : cudaFree(address);
    if (machine.workspace != nullptr) cudaFree(machine.workspace);
    if (machine.stream != nullptr) cudaStreamDestroy(machine.stream);
}

} // namespace luffy
