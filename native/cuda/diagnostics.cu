// Measurements of the GPU itself.
#include "../common/api/api.h"
#include "../common/best_rate.h"
#include "device/matrix.h"
#include "device/row_parts.h"

#include "context.h"

namespace luffy {

namespace {

constexpr int threads = 256;
constexpr int chains = 8; // independent multiply-adds of a thread, or of a warp: more than the latency of one

__global__ void __launch_bounds__(threads) multiply_add_kernel(float* result, int64_t iterations) {
    float sums[chains];
    const float factor = 1 - 1e-6f * static_cast<float>(threadIdx.x);
#pragma unroll
    for (int c = 0; c < chains; c++) sums[c] = static_cast<float>(c);
    for (int64_t i = 0; i < iterations; i++) {
#pragma unroll
        for (int c = 0; c < chains; c++) sums[c] = fmaf(sums[c], factor, factor);
    }
    float total = 0;
#pragma unroll
    for (int c = 0; c < chains; c++) total += sums[c];
    result[int64_t{blockIdx.x} * threads + threadIdx.x] = total; // so that nothing is left out as useless
}

__global__ void __launch_bounds__(threads) tensor_core_kernel(float* result, int64_t iterations) {
    float sums[chains][4] = {};
    const uint32_t one = pack_bf16(1, 1e-3f * static_cast<float>(threadIdx.x));
    const uint32_t a[4] = {one, one, one, one}, b[2] = {one, one};
    for (int64_t i = 0; i < iterations; i++) {
#pragma unroll
        for (int c = 0; c < chains; c++) mma_bf16(sums[c], a, b);
    }
    float total = 0;
#pragma unroll
    for (int c = 0; c < chains; c++) total += sums[c][0] + sums[c][1] + sums[c][2] + sums[c][3];
    result[int64_t{blockIdx.x} * threads + threadIdx.x] = total;
}

__global__ void __launch_bounds__(threads) read_kernel(float* result, const float* memory, int64_t parts) {
    float total = 0;
    for (int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x; i < parts; i += int64_t{gridDim.x} * threads) {
        const RowPart<float> part = load_part<true>(memory, 4 * i, 4 * parts);
        total += part[0] + part[1] + part[2] + part[3];
    }
    result[int64_t{blockIdx.x} * threads + threadIdx.x] = total;
}

// Runs once and waits.
template <class Kernel, class... Arguments>
double seconds_of(const Runtime& runtime, const char* name, dim3 grid, Kernel kernel, const Arguments&... arguments) {
    check(name, cudaStreamSynchronize(runtime.stream));
    const Clock::time_point begin = Clock::now();
    launch(runtime, name, kernel, grid, dim3(threads), 0, reinterpret_cast<float*>(runtime.workspace), arguments...);
    check(name, cudaStreamSynchronize(runtime.stream));
    return seconds_since(begin);
}

// By mma.sync: wgmma has about 1.6 times as much on GPUs that have it.
lf_status measure_arithmetic(lf_context* context, int32_t dtype, double* operations_per_second) {
    return guarded([&] {
        if (dtype != LF_F32 && dtype != LF_BF16)
            return fail(LF_INVALID_ARGUMENT, "the dtype must be f32 or bf16, not " + std::to_string(dtype));
        const Runtime& runtime = context->runtime;
        const int blocks = runtime.multiprocessors * (2048 / threads);
        const auto kernel = dtype == LF_F32 ? multiply_add_kernel : tensor_core_kernel;
        const double each = dtype == LF_F32 ? 2.0 * chains * threads : 2.0 * 16 * 8 * 16 * chains * (threads / 32);
        // Long enough that starting a kernel does not show.
        int64_t iterations = 16;
        while (seconds_of(runtime, "diagnostics.arithmetic", dim3(static_cast<unsigned>(blocks)), kernel, iterations) < 2e-3)
            iterations *= 2;
        *operations_per_second = best_rate([&] {
            return each * static_cast<double>(blocks) * static_cast<double>(iterations) /
                   seconds_of(runtime, "diagnostics.arithmetic", dim3(static_cast<unsigned>(blocks)), kernel, iterations);
        });
        return LF_OK;
    });
}

lf_status measure_bandwidth(lf_context* context, double* bytes_per_second) {
    return guarded([&] {
        const Runtime& runtime = context->runtime;
        cudaDeviceProp device{};
        check("device", cudaGetDeviceProperties(&device, 0));
        // Larger than the caches, so that no read finds what the one before left there.
        const int64_t bytes = (int64_t{device.l2CacheSize} * 16 + 4095) / 4096 * 4096;
        void* memory = nullptr;
        check("diagnostics.bandwidth", cudaMalloc(&memory, static_cast<size_t>(bytes)));
        check("diagnostics.bandwidth", cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), runtime.stream));
        *bytes_per_second = best_rate([&] {
            return static_cast<double>(bytes) /
                   seconds_of(runtime, "diagnostics.bandwidth",
                              dim3(static_cast<unsigned>(runtime.multiprocessors * (2048 / threads))), read_kernel,
                              static_cast<const float*>(memory), bytes / 16);
        });
        check("diagnostics.bandwidth", cudaFree(memory));
        return LF_OK;
    });
}

} // namespace

void add_diagnostic_functions(lf_kernels& t) {
    t.measure_arithmetic = measure_arithmetic;
    t.measure_bandwidth = measure_bandwidth;
}

} // namespace luffy
