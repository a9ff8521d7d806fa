// Measurements of the machine itself.
#include "../common/api/api.h"
#include "../common/best_rate.h"
#include "context.h"

namespace luffy {

namespace {

const CpuKernels& cpu_kernels(const lf_context* context) { return *static_cast<const CpuKernels*>(context->kernels); }

lf_status measure_arithmetic(lf_context* context, int32_t dtype, double* operations_per_second) {
    return guarded([&] {
        if (dtype != LF_F32 && dtype != LF_BF16)
            return fail(LF_INVALID_ARGUMENT, "the dtype must be f32 or bf16, not " + std::to_string(dtype));
        // Long enough that waking a thread does not show: about two milliseconds.
        constexpr int64_t iterations = 500000;
        *operations_per_second = best_rate([&] {
            const Clock::time_point begin = Clock::now();
            const double operations = cpu_kernels(context).multiply_adds[dtype](context->runtime, iterations);
            return operations / seconds_since(begin);
        });
        return LF_OK;
    });
}

lf_status measure_bandwidth(lf_context* context, double* bytes_per_second) {
    return guarded([&] {
        // Larger than the caches of today's desktop and most server processors.
        constexpr int64_t megabytes = 256, bytes = megabytes << 20;
        void* memory = allocate_zeroed(bytes);
        if (memory == nullptr) return fail(LF_OUT_OF_MEMORY, "no " + std::to_string(bytes) + " bytes of memory");
        *bytes_per_second = best_rate([&] {
            const Clock::time_point begin = Clock::now();
            cpu_kernels(context).read_memory(context->runtime, memory, megabytes);
            return static_cast<double>(bytes) / seconds_since(begin);
        });
        free_zeroed(memory, bytes);
        return LF_OK;
    });
}

} // namespace

void add_diagnostic_functions(lf_kernels& t) {
    t.measure_arithmetic = measure_arithmetic;
    t.measure_bandwidth = measure_bandwidth;
}

} // namespace luffy
