// Measurements of the GPU itself.
#include "../common/api/api.h"
#include "../common/best_rate.h"
#include "device/hopper.h"
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

// The largest instruction of Hopper's, of operands that stay in shared memory: 64 and 256 lines of 16 terms and more.
constexpr int wgmma_columns = 256;
constexpr int wgmma_shared_bytes = 1024 + (64 + wgmma_columns) * 128;

__global__ void __launch_bounds__(threads, 1) wgmma_kernel(float* result, int64_t iterations) {
    LUFFY_DYNAMIC_SHARED(char, shared);
    // Aligned as the swizzle asks for.
    char* a = shared + (1024 - shared_address(shared) % 1024) % 1024;
    char* b = a + 64 * 128;
    for (int i = static_cast<int>(threadIdx.x); i < (64 + wgmma_columns) * 64; i += threads)
        store(reinterpret_cast<bf16*>(a) + i, 1e-3f * static_cast<float>(i % 61 - 30));
    async_fence();
    __syncthreads();
    float sums[wgmma_columns / 2] = {};
    for (int64_t i = 0; i < iterations; i++) {
        wgmma_fence(sums);
#pragma unroll
        for (int step = 0; step < 64; step += 16)
            wgmma_bf16<wgmma_columns, false, false>(sums, matrix_descriptor(a + 2 * step, 16, 1024),
                                                    matrix_descriptor(b + 2 * step, 16, 1024));
        wgmma_commit();
        wgmma_wait<0>(sums);
    }
    float total = 0;
#pragma unroll
    for (int c = 0; c < wgmma_columns / 2; c++) total += sums[c];
    result[int64_t{blockIdx.x} * threads + threadIdx.x] = total;
}

// What a block of multiply-adds takes, and how many operations each of its iterations does.
struct ArithmeticKernel {
    void (*kernel)(float*, int64_t);
    int blocks_of_multiprocessor, shared_bytes;
    double operations;
};

ArithmeticKernel arithmetic_kernel(const Runtime& runtime, int32_t dtype) {
    if (dtype == LF_F32) return {multiply_add_kernel, 2048 / threads, 0, 2.0 * chains * threads};
    if (runtime.wgmma) return {wgmma_kernel, 1, wgmma_shared_bytes, 2.0 * 64 * wgmma_columns * 64 * (threads / 128)};
    return {tensor_core_kernel, 2048 / threads, 0, 2.0 * 16 * 8 * 16 * chains * (threads / 32)};
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
double seconds_of(const Runtime& runtime, const char* name, int blocks, int shared_bytes, Kernel kernel,
                  const Arguments&... arguments) {
    check(name, cudaStreamSynchronize(runtime.stream));
    const Clock::time_point begin = Clock::now();
    launch(runtime, name, kernel, dim3(static_cast<unsigned>(blocks)), dim3(threads), static_cast<size_t>(shared_bytes),
           reinterpret_cast<float*>(runtime.workspace), arguments...);
    check(name, cudaStreamSynchronize(runtime.stream));
    return seconds_since(begin);
}

// By the instructions that products are made of.
lf_status measure_arithmetic(lf_context* context, int32_t dtype, double* operations_per_second) {
    return guarded([&] {
        if (dtype != LF_F32 && dtype != LF_BF16)
            return fail(LF_INVALID_ARGUMENT, "the dtype must be f32 or bf16, not " + std::to_string(dtype));
        const Runtime& runtime = context->runtime;
        const ArithmeticKernel k = arithmetic_kernel(runtime, dtype);
        const int blocks = runtime.multiprocessors * k.blocks_of_multiprocessor;
        const auto seconds = [&](int64_t iterations) {
            return seconds_of(runtime, "diagnostics.arithmetic", blocks, k.shared_bytes, k.kernel, iterations);
        };
        // Long enough that starting a kernel does not show.
        int64_t iterations = 1;
        while (seconds(iterations) < 2e-3) iterations *= 2;
        *operations_per_second =
            best_rate([&] { return k.operations * blocks * static_cast<double>(iterations) / seconds(iterations); });
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
            return static_cast<double>(bytes) / seconds_of(runtime, "diagnostics.bandwidth",
                                                           runtime.multiprocessors * (2048 / threads), 0, read_kernel,
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
