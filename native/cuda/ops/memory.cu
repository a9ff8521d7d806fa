// Copies, conversions between storage types, zeroing, and the host's view of integers.
#include "../device/row_parts.h"
#include "../host_integers.h"
#include "../transfers.h"
#include "operations.h"

namespace luffy {

namespace {

constexpr int convert_threads = 256;

// Eight elements a thread and round: 32 bytes of f32, 16 of bf16.
template <bool Whole, class To, class From>
__global__ void __launch_bounds__(convert_threads) copy_convert_kernel(To* destination, const From* source, int64_t n) {
    const int64_t step = int64_t{gridDim.x} * convert_threads * 8;
    for (int64_t i = (int64_t{blockIdx.x} * convert_threads + threadIdx.x) * 8; i < n; i += step) {
        if constexpr (Whole) {
            if (i + 8 <= n) {
                const Eight<From> from = load_eight(source + i);
                Eight<To> to;
#pragma unroll
                for (int e = 0; e < 8; e++) store(&to.values[e], load(&from.values[e]));
                store_eight(destination + i, to);
                continue;
            }
        }
        for (int64_t e = i; e < n && e < i + 8; e++) store(destination + e, load(source + e));
    }
}

template <class To, class From> void convert(const Runtime& runtime, void* destination, const void* source, int64_t n) {
    runtime.integers->forget(destination, n * static_cast<int64_t>(sizeof(To)));
    const bool whole = reinterpret_cast<uintptr_t>(destination) % 16 == 0 && reinterpret_cast<uintptr_t>(source) % 16 == 0;
    const auto kernel = whole ? copy_convert_kernel<true, To, From> : copy_convert_kernel<false, To, From>;
    launch(runtime, "copy.convert", kernel, strided_grid(runtime, blocks_of(n, convert_threads * 8)), dim3(convert_threads), 0,
           static_cast<To*>(destination), static_cast<const From*>(source), n);
}

void copy_bytes(const Runtime& runtime, void* destination, const void* source, int64_t bytes) {
    if (bytes == 0) return;
    runtime.integers->forget(destination, bytes);
    check("copy", cudaMemcpyAsync(destination, source, static_cast<size_t>(bytes), cudaMemcpyDefault, runtime.stream));
}

template <class T> void copy_elements(const Runtime& runtime, void* destination, const void* source, int64_t n) {
    copy_bytes(runtime, destination, source, n * static_cast<int64_t>(sizeof(T)));
}

void zero(const Runtime& runtime, void* memory, int64_t bytes) {
    if (bytes == 0) return;
    runtime.integers->forget(memory, bytes);
    check("zero", cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), runtime.stream));
}

const int32_t* host_integers(const Runtime& runtime, const void* memory, int64_t count) {
    const int32_t* known = runtime.integers->find(memory, count);
    if (known != nullptr) return known;
    std::vector<int32_t>& read = runtime.integers->spare(count);
    runtime.transfers->download(read.data(), memory, count * 4);
    return read.data();
}

} // namespace

void add_memory(Kernels& k) {
    k.host_integers = host_integers;
    k.copy[LF_F32][LF_F32] = copy_elements<float>;
    k.copy[LF_F32][LF_BF16] = convert<float, bf16>;
    k.copy[LF_BF16][LF_F32] = convert<bf16, float>;
    k.copy[LF_BF16][LF_BF16] = copy_elements<bf16>;
    k.copy_bytes = copy_bytes;
    k.zero = zero;
}

} // namespace luffy
