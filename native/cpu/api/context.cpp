// Contexts, memory, copies.
#include "api.h"

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
    const Kernels* (*kernels)();
    const char* needs;
};

// Best first.
constexpr InstructionSet instruction_sets[] = {
    {"avx512bf16", has_avx512bf16, avx512bf16_kernels, "AVX-512 F, BW, DQ, VL and BF16"},
    {"avx512", has_avx512, avx512_kernels, "AVX-512 F, BW, DQ and VL"},
    {"avx2", has_avx2, avx2_kernels, "AVX2 and FMA"},
};

lf_status choose(const char* wanted, const Kernels** kernels) {
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
        const Kernels* kernels = nullptr;
        LF_RETURN_IF_REFUSED(choose(o.isa, &kernels));
        const int32_t cores = static_cast<int32_t>(std::thread::hardware_concurrency());
        *context = new lf_context(kernels, o.threads > 0 ? o.threads : cores > 0 ? cores : 1);
        return LF_OK;
    });
}

void destroy(lf_context* context) { delete context; }

const char* error_message() { return last_error().c_str(); }

const char* description(lf_context* context) { return context->description.c_str(); }

int32_t threads(lf_context* context) { return context->runtime.threads; }

// bf16 halves the bytes everywhere, but only pays in arithmetic where the processor multiplies it.
int32_t preferred_dtype(lf_context* context) { return context->kernels == avx512bf16_kernels() ? LF_BF16 : LF_F32; }

int64_t workspace_bytes(lf_context* context) { return context->runtime.workspace_bytes * context->runtime.threads; }

lf_status allocate(lf_context* context, void** memory, int64_t bytes) {
    return guarded([&] {
        if (bytes < 0) return fail(LF_INVALID_ARGUMENT, "bytes must not be negative: " + std::to_string(bytes));
        *memory = allocate_zeroed(bytes);
        if (*memory == nullptr) return fail(LF_OUT_OF_MEMORY, "no " + std::to_string(bytes) + " bytes of memory");
        context->memory.emplace(*memory, bytes);
        return LF_OK;
    });
}

lf_status release(lf_context* context, void* memory) {
    return guarded([&] {
        const auto found = context->memory.find(memory);
        if (found == context->memory.end()) return fail(LF_INVALID_ARGUMENT, "the memory was not allocated from this context");
        free_zeroed(memory, found->second);
        context->memory.erase(found);
        return LF_OK;
    });
}

lf_status transfer(lf_context* context, void* to, const void* from, int64_t bytes) {
    if (bytes < 0 || (bytes > 0 && (to == nullptr || from == nullptr)))
        return fail(LF_INVALID_ARGUMENT, "a copy of " + std::to_string(bytes) + " bytes needs two addresses");
    // As bytes of f32 storage where they divide, so that large copies use all threads.
    if (bytes >= 65536 && bytes % 4 == 0)
        context->kernels->copy[LF_F32][LF_F32](context->runtime, to, from, bytes / 4);
    else if (bytes > 0)
        std::memcpy(to, from, static_cast<size_t>(bytes));
    return LF_OK;
}

lf_status upload(lf_context* context, void* device, const void* host, int64_t bytes) {
    return transfer(context, device, host, bytes);
}
lf_status download(lf_context* context, void* host, const void* device, int64_t bytes) {
    return transfer(context, host, device, bytes);
}

lf_status synchronize(lf_context*) { return LF_OK; }

lf_status zero(lf_context* context, const lf_tensor* tensor) {
    return guarded([&] {
        if (!is_sized(tensor) || tensor->dtype < LF_F32 || tensor->dtype > LF_U8)
            return refuse("tensor must exist and have a known dtype", {{"tensor", tensor}});
        static constexpr int64_t sizes[] = {4, 2, 4, 1};
        context->kernels->zero(context->runtime, tensor->data, length(tensor) * sizes[tensor->dtype]);
        return LF_OK;
    });
}

lf_status copy(lf_context* context, const lf_tensor* destination, const lf_tensor* source) {
    return guarded([&] {
        const bool convertible = is_float(destination) && is_float(source);
        const bool same = is_sized(destination) && is_sized(source) && destination->dtype == source->dtype &&
                          (source->dtype == LF_I32 || source->dtype == LF_U8);
        if ((!convertible && !same) || length(destination) != length(source)) {
            return refuse("copy needs as many elements of the same dtype, or of f32 and bf16",
                          {{"destination", destination}, {"source", source}});
        }
        if (convertible)
            context->kernels->copy[destination->dtype][source->dtype](context->runtime, destination->data, source->data,
                                                                      length(source));
        else
            std::memmove(destination->data, source->data,
                         static_cast<size_t>(length(source)) * (source->dtype == LF_I32 ? 4 : 1));
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
    t.workspace_bytes = workspace_bytes;
    t.allocate = allocate;
    t.release = release;
    t.upload = upload;
    t.download = download;
    t.synchronize = synchronize;
    t.zero = zero;
    t.copy = copy;
}

} // namespace luffy
