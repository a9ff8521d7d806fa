// Rotary position embedding in place; the contract is src/Luffy.Kernels/Ops/Rope.cs.
#include "rope.h"

#include "../device/row_parts.h"
#include "operations.h"

namespace luffy {

namespace {

struct RopeShape {
    int64_t tokens, heads, rotated_heads, head_dim;
};

template <bool Whole, class T>
__global__ void __launch_bounds__(rope_threads)
    rope_rotate_kernel(T* qkv, const int32_t* positions, const float* table, RopeShape shape, float sign) {
    const int64_t half = shape.head_dim / 2, parts = (half + vector_width<T> - 1) / vector_width<T>;
    const int64_t parts_of_token = shape.rotated_heads * parts, step = int64_t{gridDim.x} * rope_threads;
    for (int64_t part = int64_t{blockIdx.x} * rope_threads + threadIdx.x; part < shape.tokens * parts_of_token; part += step) {
        const int64_t token = part / parts_of_token, of_token = part - token * parts_of_token;
        const int64_t head = of_token / parts, element = (of_token - head * parts) * vector_width<T>;
        T* first = qkv + (token * shape.heads + head) * shape.head_dim;
        T* second = first + half;
        const float* angles = table + positions[token] * shape.head_dim;
        RowPart<T> a = load_part<Whole>(first, element, half), b = load_part<Whole>(second, element, half);
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++) {
            if (!Whole && element + e >= half) break;
            const float x = load(&a[e]), y = load(&b[e]);
            const float cosine = __ldg(angles + element + e), sine = sign * __ldg(angles + half + element + e);
            store(&a[e], x * cosine - y * sine);
            store(&b[e], y * cosine + x * sine);
        }
        store_part<Whole>(first, element, half, a);
        store_part<Whole>(second, element, half, b);
    }
}

template <class T>
void rotate(const Runtime& runtime, void* qkv, const int32_t* positions, const float* table, int64_t tokens, int64_t heads,
            int64_t rotated_heads, int64_t head_dim, float sign) {
    const int64_t parts = blocks_of(head_dim / 2, vector_width<T>);
    const auto kernel = has_whole_parts<T>(head_dim / 2, {qkv}) ? rope_rotate_kernel<true, T> : rope_rotate_kernel<false, T>;
    launch(runtime, "rope.rotate", kernel, strided_grid(runtime, blocks_of(tokens * rotated_heads * parts, rope_threads), 32),
           dim3(rope_threads), 0, static_cast<T*>(qkv), positions, table, RopeShape{tokens, heads, rotated_heads, head_dim},
           sign);
}

} // namespace

void add_rope(Kernels& k) {
    k.rope[LF_F32] = rotate<float>;
    k.rope[LF_BF16] = rotate<bf16>;
}

} // namespace luffy
