// Contexts, memory, transfers.
#include "../common/api/api.h"
#include "context.h"

#include <cstring>

namespace luffy {

namespace {

CudaContext& own(lf_context* context) { return *static_cast<CudaContext*>(context); }

lf_status unsupported(const std::string& reason) { return fail(LF_UNSUPPORTED, reason); }

lf_status create(lf_context** context, const lf_context_options* options) {
    return guarded([&] {
        if (context == nullptr) return fail(LF_INVALID_ARGUMENT, "context must not be null");
        *context = nullptr;
        const lf_context_options o = options == nullptr ? lf_context_options{} : *options;
        if (o.threads < 0 || o.threads > 1024) {
            return fail(LF_INVALID_ARGUMENT,
                        "multiprocessors must be 0 (all of the GPU's) to 1024, not " + std::to_string(o.threads));
        }
        int devices = 0;
        const cudaError_t found = cudaGetDeviceCount(&devices);
        if (found != cudaSuccess || devices == 0)
            return unsupported(std::string("no NVIDIA GPU: ") +
                               (found != cudaSuccess ? cudaGetErrorString(found) : "none found"));
        // The first that CUDA shows: CUDA_VISIBLE_DEVICES chooses.
        check("device", cudaSetDevice(0));
        cudaDeviceProp device{};
        check("device", cudaGetDeviceProperties(&device, 0));
        if (device.major < 8) {
            return unsupported(std::string(device.name) + " has compute capability " + std::to_string(device.major) + "." +
                               std::to_string(device.minor) + "; the kernels need 8.0 (Ampere) or later");
        }
        *context = new CudaContext(device, o);
        return LF_OK;
    });
}

void destroy(lf_context* context) { delete static_cast<CudaContext*>(context); }

const char* error_message() { return last_error().c_str(); }

const char* description(lf_context* context) { return own(context).description.c_str(); }

int32_t threads(lf_context* context) { return own(context).machine.multiprocessors; }

int32_t preferred_dtype(lf_context*) { return LF_BF16; }

int32_t batch_invariant(lf_context* context) { return own(context).machine.blas == nullptr; }

int64_t workspace_bytes(lf_context* context) { return own(context).machine.workspace_bytes; }

// None where the driver no longer answers: whatever comes next will say why.
int64_t free_bytes(lf_context*) {
    size_t free = 0, total = 0;
    return cudaMemGetInfo(&free, &total) == cudaSuccess ? static_cast<int64_t>(free) : 0;
}

lf_status allocate(lf_context* context, void** memory, int64_t bytes, int32_t on_host) {
    return guarded([&] {
        if (bytes < 0) return fail(LF_INVALID_ARGUMENT, "bytes must not be negative: " + std::to_string(bytes));
        const size_t size = static_cast<size_t>(bytes < 1 ? 1 : bytes);
        // Pinned memory has one address for the host and for kernels.
        const cudaError_t status = on_host != 0 ? cudaMallocHost(memory, size) : cudaMalloc(memory, size);
        if (status == cudaErrorMemoryAllocation) {
            cudaGetLastError(); // it would be told again by the next launch
            if (on_host != 0)
                return fail(LF_OUT_OF_MEMORY, "no " + std::to_string(bytes) + " bytes of memory that can be pinned");
            return fail(LF_OUT_OF_MEMORY, "no " + std::to_string(bytes) +
                                              " bytes of the GPU's memory: " + std::to_string(free_bytes(context)) + " are free");
        }
        check("allocate", status);
        own(context).memory.emplace(*memory, CudaContext::Memory{bytes, on_host != 0});
        if (on_host != 0)
            std::memset(*memory, 0, size);
        else
            check("allocate", cudaMemsetAsync(*memory, 0, size, context->runtime.stream));
        return LF_OK;
    });
}

lf_status release(lf_context* context, void* memory) {
    return guarded([&] {
        CudaContext& c = own(context);
        const auto found = c.memory.find(memory);
        if (found == c.memory.end()) return fail(LF_INVALID_ARGUMENT, "the memory was not allocated from this context");
        check("release", cudaStreamSynchronize(c.machine.stream));
        c.integers.forget(memory, found->second.bytes);
        const bool on_host = found->second.on_host;
        c.memory.erase(found);
        check("release", on_host ? cudaFreeHost(memory) : cudaFree(memory));
        return LF_OK;
    });
}

lf_status upload(lf_context* context, const lf_tensor* destination, const void* host) {
    return guarded([&] {
        if (!is_stored(destination) || (host == nullptr && length(destination) > 0))
            return refuse("a transfer needs a tensor and an address of the host", {{"tensor", destination}});
        CudaContext& c = own(context);
        if (destination->dtype == LF_I32)
            c.integers.remember(destination->data, static_cast<const int32_t*>(host), length(destination));
        else
            c.integers.forget(destination->data, stored_bytes(destination));
        c.transfers->upload(destination->data, host, stored_bytes(destination));
        return LF_OK;
    });
}

lf_status download(lf_context* context, void* host, const lf_tensor* source) {
    return guarded([&] {
        if (!is_stored(source) || (host == nullptr && length(source) > 0))
            return refuse("a transfer needs a tensor and an address of the host", {{"tensor", source}});
        own(context).transfers->download(host, source->data, stored_bytes(source));
        return LF_OK;
    });
}

lf_status synchronize(lf_context* context) {
    return guarded([&] {
        check("synchronize", cudaStreamSynchronize(context->runtime.stream));
        return LF_OK;
    });
}

} // namespace

void add_context_functions(lf_kernels& t) {
    t.create = create;
    t.destroy = destroy;
    t.last_error = error_message;
    t.description = description;
    t.threads = threads;
    t.preferred_dtype = preferred_dtype;
    t.batch_invariant = batch_invariant;
    t.workspace_bytes = workspace_bytes;
    t.free_bytes = free_bytes;
    t.allocate = allocate;
    t.release = release;
    t.upload = upload;
    t.download = download;
    t.synchronize = synchronize;
}

} // namespace luffy
