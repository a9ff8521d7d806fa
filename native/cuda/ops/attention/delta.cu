// What the backward pass needs of each row of queries: delta = dy · y, and the log-sum-exp for powers of two, both in the order
// of rows.h.
#include "../../device/elements.h"
#include "../../device/reduce.h"
#include "calls.h"

namespace luffy::attention {

namespace {

constexpr int delta_threads = 256;

// A warp a row.
template <class T>
__global__ void __launch_bounds__(delta_threads)
    delta_kernel(float* base2, float* delta, const float* log_sum_exp, const T* dy, const T* y, Geometry shape, int64_t tokens) {
    const int64_t row = static_cast<int64_t>(blockIdx.x) * (delta_threads / 32) + threadIdx.x / 32;
    if (row >= tokens * shape.heads) return;
    const T *const a = dy + row * shape.head_dim, *const b = y + row * shape.head_dim;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float sum = 0;
    for (int i = lane; i < shape.head_dim; i += 32) sum = fmaf(load(a + i), load(b + i), sum);
    sum = warp_sum(sum);
    if (lane != 0) return;
    const int64_t token = row / shape.heads;
    const int head = static_cast<int>(row - token * shape.heads), kv_head = head / shape.group;
    const int64_t place = kv_head * (tokens * shape.group) + token * shape.group + head - kv_head * shape.group;
    delta[place] = sum;
    base2[place] = log_sum_exp[row] * log2_e;
}

} // namespace

template <class T>
void find_delta(const Runtime& runtime, float* base2, float* delta, const float* log_sum_exp, const T* dy, const T* y,
                const Geometry& shape, int64_t tokens) {
    const int64_t blocks = blocks_of(tokens * shape.heads, delta_threads / 32);
    launch(runtime, "attention.delta", delta_kernel<T>, dim3(static_cast<unsigned>(blocks)), delta_threads, 0, base2, delta,
           log_sum_exp, dy, y, shape, tokens);
}

template void find_delta(const Runtime&, float*, float*, const float*, const float*, const float*, const Geometry&, int64_t);
template void find_delta(const Runtime&, float*, float*, const float*, const bf16*, const bf16*, const Geometry&, int64_t);

} // namespace luffy::attention
