// Contexts, memory, copies.
#include "../common/api/api.h"
#include "context.h"

#include <cstring>
#include <thread>

namespace luffy {

namespace {

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_avx512bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

struct InstructionSet {
    const char* name;
    bool (*present)();
    const CpuKernels* (*kernels)();
    const char* needs;
};

// Best first.
constexpr InstructionSet instruction_sets[] = {
    {"avx512bf16", has_avx512bf16, avx512bf16_kernels, "AVX-512 F, BW, DQ, VL and BF16"},
    {"avx512", has_avx512, avx512_kernels, "AVX-512 F, BW, DQ and VL"},
    {"avx2", has_avx2, avx2_kernels, "AVX2 and FMA"},
};

lf_status choose(const char* wanted, const CpuKernels** kernels) {
    for (const InstructionSet& set : instruction_sets) {
        if (wanted != nullptr && std::strcmp(wanted, set.name) != 0) continue;
        if (set.present()) {
            *kernels = set.kernels();
            return LF_OK;
        }
        if (wanted != nullptr)
            return fail(LF_UNSUPPORTED,
                        std::string("instruction set ") + wanted + " needs " + set.needs + ", which this processor lacks");
    }
    if (wanted == nullptr) return fail(LF_UNSUPPORTED, "this processor has none of avx2 with fma, avx512, avx512bf16");
    return fail(LF_INVALID_ARGUMENT,
                std::string("unknown instruction set '") + wanted + "': expected avx2, avx512 or avx512bf16");
}

lf_status create(lf_context** context, const lf_context_options* options) {
    return guarded([&] {
        if (context == nullptr) return fail(LF_INVALID_ARGUMENT, "context must not be null");
        *context = nullptr;
        const lf_context_options o = options == nullptr ? lf_context_options{} : *options;
        if (o.threads < 0 || o.threads > 1024)
            return fail(LF_INVALID_ARGUMENT, "threads must be 0 (one for each core) to 1024, not " + std::to_string(o.threads));
        const CpuKernels* kernels = nullptr;
        LF_RETURN_IF_REFUSED(choose(o.isa, &kernels));
        const int32_t cores = static_cast<int32_t>(std::thread::hardware_concurrency());
        *context = new CpuContext(kernels, o.threads > 0 ? o.threads : cores > 0 ? cores : 1);
        return LF_OK;
    });
}

CpuContext& own(lf_context* context) { return *static_cast<CpuContext*>(context); }

void destroy(lf_context* context) { delete static_cast<CpuContext*>(context); }

const char* error_message() { return last_error().c_str(); }

const char* description(lf_context* context) { return own(context).description.c_str(); }

int32_t threads(lf_context* context) { return context->runtime.threads; }

// bf16 halves the bytes everywhere, but only pays in arithmetic where the processor multiplies it.
int32_t preferred_dtype(lf_context* context) { return context->kernels == avx512bf16_kernels() ? LF_BF16 : LF_F32; }

int32_t batch_invariant(lf_context*) { return 1; }

int64_t workspace_bytes(lf_context* context) { return context->runtime.workspace_bytes * context->runtime.threads; }

int64_t free_bytes(lf_context*) { return -1; }

lf_status allocate(lf_context* context, void** memory, int64_t bytes, int32_t on_host) {
    return guarded([&] {
        if (on_host != 0) return fail(LF_UNSUPPORTED, "the CPU computes in the host's memory: nothing can be moved there");
        if (bytes < 0) return fail(LF_INVALID_ARGUMENT, "bytes must not be negative: " + std::to_string(bytes));
        *memory = allocate_zeroed(bytes);
        if (*memory == nullptr) return fail(LF_OUT_OF_MEMORY, "no " + std::to_string(bytes) + " bytes of memory");
        own(context).memory.emplace(*memory, bytes);
        return LF_OK;
    });
}

lf_status release(lf_context* context, void* memory) {
    return guarded([&] {
        const auto found = own(context).memory.find(memory);
        if (found == own(context).memory.end())
            return fail(LF_INVALID_ARGUMENT, "the memory was not allocated from this context");
        free_zeroed(memory, found->second);
        own(context).memory.erase(found);
        return LF_OK;
    });
}

lf_status transfer(lf_context* context, const lf_tensor* tensor, const void* host, void* to, const void* from) {
    return guarded([&] {
        if (!is_stored(tensor) || (host == nullptr && length(tensor) > 0))
            return refuse("a transfer needs a tensor and an address of the host", {{"tensor", tensor}});
        const int64_t bytes = stored_bytes(tensor);
        // As f32 storage where they divide, so that large copies use all threads.
        if (bytes >= 65536 && bytes % 4 == 0)
            context->kernels->copy[LF_F32][LF_F32](context->runtime, to, from, bytes / 4);
        else if (bytes > 0)
            std::memcpy(to, from, static_cast<size_t>(bytes));
        return LF_OK;
    });
}

lf_status upload(lf_context* context, const lf_tensor* destination, const void* host) {
    return transfer(context, destination, host, data_or_null(destination), host);
}
lf_status download(lf_context* context, void* host, const lf_tensor* source) {
    return transfer(context, source, host, host, data_or_null(source));
}

lf_status synchronize(lf_context*) { return LF_OK; }

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
