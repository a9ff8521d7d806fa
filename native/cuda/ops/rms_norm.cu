// RmsNorm with and without the residual sum before it; the contract is src/Luffy.Kernels/Ops/RmsNorm.cs.
//
// A row's sum: each lane (thread, in the backward pass) has every 32nd (128th) part of 16 bytes and adds up its elements in
// ascending order in one chain; then a fixed tree. That does not depend on how many parts are held in registers, nor on how they
// are read.
#include "rms_norm.h"

#include "../device/reduce.h"
#include "../device/row_parts.h"
#include "operations.h"

namespace luffy {

namespace {

template <class T> struct NormForward {
    T *y, *sum; // sum and delta are null without residual
    float* rstd;
    const T *x, *delta, *weight;
    float epsilon;
    int64_t tokens, h;
};

// The part of the row that is normed: x, or the rounded sum, which is stored on the way.
template <bool Whole, bool Adds, class T>
LF_DEVICE RowPart<T> normed_part(const NormForward<T>& a, int64_t row, int64_t element) {
    RowPart<T> part = load_part<Whole>(a.x + row * a.h, element, a.h);
    if constexpr (Adds) {
        const RowPart<T> delta = load_part<Whole>(a.delta + row * a.h, element, a.h);
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++) store(&part[e], load(&part[e]) + load(&delta[e]));
        store_part<Whole>(a.sum + row * a.h, element, a.h, part);
    }
    return part;
}

template <class T> LF_DEVICE float add_squares(float sum, const RowPart<T>& part) {
#pragma unroll
    for (int e = 0; e < vector_width<T>; e++) sum = fmaf(load(&part[e]), load(&part[e]), sum);
    return sum;
}

template <bool Whole, class T>
LF_DEVICE void write_normed(const NormForward<T>& a, int64_t row, int64_t element, const RowPart<T>& part, float rstd) {
    const RowPart<T> weight = load_part<Whole>(a.weight, element, a.h);
    RowPart<T> y;
#pragma unroll
    for (int e = 0; e < vector_width<T>; e++) store(&y[e], load(&part[e]) * rstd * load(&weight[e]));
    store_part<Whole>(a.y + row * a.h, element, a.h, y);
}

// Held is the number of parts that a lane keeps; 0 means that it reads its row again.
template <int Held, bool Whole, bool Adds, class T>
__global__ void __launch_bounds__(32 * norm_warps) rms_norm_forward_kernel(NormForward<T> a) {
    const int64_t row = int64_t{blockIdx.x} * norm_warps + threadIdx.x / 32;
    const int64_t first = (threadIdx.x % 32) * vector_width<T>;
    if (row >= a.tokens) return;
    constexpr int64_t step = 32 * vector_width<T>;
    float sum = 0;
    if constexpr (Held > 0) {
        RowPart<T> parts[Held];
#pragma unroll
        for (int i = 0; i < Held; i++)
            if (first + i * step < a.h) parts[i] = normed_part<Whole, Adds>(a, row, first + i * step);
#pragma unroll
        for (int i = 0; i < Held; i++)
            if (first + i * step < a.h) sum = add_squares<T>(sum, parts[i]);
        const float rstd = 1 / sqrtf(warp_sum(sum) / static_cast<float>(a.h) + a.epsilon);
        if (threadIdx.x % 32 == 0) a.rstd[row] = rstd;
#pragma unroll
        for (int i = 0; i < Held; i++)
            if (first + i * step < a.h) write_normed<Whole>(a, row, first + i * step, parts[i], rstd);
    } else {
        for (int64_t i = first; i < a.h; i += step) sum = add_squares<T>(sum, normed_part<Whole, Adds>(a, row, i));
        const float rstd = 1 / sqrtf(warp_sum(sum) / static_cast<float>(a.h) + a.epsilon);
        if (threadIdx.x % 32 == 0) a.rstd[row] = rstd;
        // The sum was written by this very lane.
        const T* source = Adds ? a.sum : a.x;
        for (int64_t i = first; i < a.h; i += step)
            write_normed<Whole>(a, row, i, load_part<Whole>(source + row * a.h, i, a.h), rstd);
    }
}

template <bool Adds, class T> auto forward_kernel_of(const NormForward<T>& a) {
    if (!has_whole_parts<T>(a.h, {a.y, a.sum, a.x, a.delta, a.weight})) return rms_norm_forward_kernel<0, false, Adds, T>;
    const int64_t parts = blocks_of(a.h, 32 * vector_width<T>);
    if (parts <= 4) return rms_norm_forward_kernel<4, true, Adds, T>;
    if (parts <= 8) return rms_norm_forward_kernel<8, true, Adds, T>;
    if (parts <= norm_held_parts) return rms_norm_forward_kernel<norm_held_parts, true, Adds, T>;
    return rms_norm_forward_kernel<0, true, Adds, T>;
}

template <class T>
void forward(const Runtime& runtime, void* y, void* sum, float* rstd, const void* x, const void* delta, const void* weight,
             float epsilon, int64_t tokens, int64_t h) {
    const NormForward<T> a{static_cast<T*>(y),
                           static_cast<T*>(sum),
                           rstd,
                           static_cast<const T*>(x),
                           static_cast<const T*>(delta),
                           static_cast<const T*>(weight),
                           epsilon,
                           tokens,
                           h};
    launch(runtime, "rms_norm.forward", delta == nullptr ? forward_kernel_of<false>(a) : forward_kernel_of<true>(a),
           dim3(static_cast<unsigned>(blocks_of(tokens, norm_warps))), dim3(32 * norm_warps), 0, a);
}

template <class T> struct NormBackward {
    T* dx;
    float* partial;               // [blocks, h]
    const T *dy, *d_residual, *x; // d_residual is null without residual
    const float* rstd;
    const T* weight;
    int64_t tokens, h;
};

// dx = rstd·(w·dy − x·rstd²·mean(w·dy·x)), plus the residual's gradient; and a block's rows of Σ dy·x·rstd. dx may be d_residual.
template <bool Whole, class T>
__global__ void __launch_bounds__(norm_backward_threads) rms_norm_backward_kernel(NormBackward<T> a) {
    __shared__ float sums[norm_backward_threads / 32];
    constexpr int64_t step = norm_backward_threads * vector_width<T>;
    const int64_t first = threadIdx.x * vector_width<T>, begin = int64_t{blockIdx.x} * norm_backward_rows;
    const int64_t end = begin + norm_backward_rows < a.tokens ? begin + norm_backward_rows : a.tokens;
    float* partial = a.partial + blockIdx.x * a.h;
    const bool held = a.h <= norm_backward_parts * step;
    float d_weight[norm_backward_parts][vector_width<T>] = {};
    for (int64_t row = begin; row < end; row++) {
        const T *x = a.x + row * a.h, *dy = a.dy + row * a.h;
        float sum = 0;
        for (int64_t i = first; i < a.h; i += step) {
            const RowPart<T> input = load_part<Whole>(x, i, a.h), gradient = load_part<Whole>(dy, i, a.h);
            const RowPart<T> weight = load_part<Whole>(a.weight, i, a.h);
#pragma unroll
            for (int e = 0; e < vector_width<T>; e++) sum = fmaf(load(&weight[e]) * load(&gradient[e]), load(&input[e]), sum);
        }
        const float r = a.rstd[row];
        const float correction = r * r * (block_sum<norm_backward_threads>(sum, sums) / static_cast<float>(a.h));
        const auto write = [&](int64_t i, float(&into)[vector_width<T>]) {
            const RowPart<T> input = load_part<Whole>(x, i, a.h), gradient = load_part<Whole>(dy, i, a.h);
            const RowPart<T> weight = load_part<Whole>(a.weight, i, a.h);
            RowPart<T> residual{};
            if (a.d_residual != nullptr) residual = load_part<Whole>(a.d_residual + row * a.h, i, a.h);
            RowPart<T> dx;
#pragma unroll
            for (int e = 0; e < vector_width<T>; e++) {
                const float d = load(&gradient[e]), value = load(&input[e]);
                into[e] += d * value * r;
                store(&dx[e], load(&residual[e]) + r * (load(&weight[e]) * d - value * correction));
            }
            store_part<Whole>(a.dx + row * a.h, i, a.h, dx);
        };
        if (held) {
#pragma unroll
            for (int p = 0; p < norm_backward_parts; p++)
                if (first + p * step < a.h) write(first + p * step, d_weight[p]);
        } else {
            for (int64_t i = first; i < a.h; i += step) {
                float into[vector_width<T>] = {};
                if (row > begin)
                    for (int e = 0; e < vector_width<T>; e++)
                        if (i + e < a.h) into[e] = partial[i + e];
                write(i, into);
                for (int e = 0; e < vector_width<T>; e++)
                    if (i + e < a.h) partial[i + e] = into[e];
            }
        }
    }
    if (!held) return;
#pragma unroll
    for (int p = 0; p < norm_backward_parts; p++)
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++)
            if (first + p * step + e < a.h) partial[first + p * step + e] = d_weight[p][e];
}

// Blocks of rows in ascending order.
__global__ void __launch_bounds__(norm_total_columns)
    rms_norm_total_kernel(float* d_weight, const float* partial, int64_t blocks, int64_t h) {
    const int64_t column = int64_t{blockIdx.x} * norm_total_columns + threadIdx.x;
    if (column >= h) return;
    float sum = d_weight[column];
#pragma unroll 8
    for (int64_t b = 0; b < blocks; b++) sum += partial[b * h + column];
    d_weight[column] = sum;
}

template <class T>
void backward(const Runtime& runtime, void* dx, float* d_weight, const void* dy, const void* d_residual, const void* x,
              const float* rstd, const void* weight, int64_t tokens, int64_t h) {
    if (h == 0) return;
    const bool whole = has_whole_parts<T>(h, {dx, dy, d_residual, x, weight});
    // As many rows at a time as the workspace has partial sums for.
    const int64_t blocks_at_once = runtime.workspace_bytes / (h * 4);
    if (blocks_at_once == 0)
        throw std::runtime_error("rms_norm.backward: rows of " + std::to_string(h) + " elements are too long");
    for (int64_t row = 0; row < tokens; row += blocks_at_once * norm_backward_rows) {
        const int64_t left = tokens - row, most = blocks_at_once * norm_backward_rows, count = left < most ? left : most;
        const int64_t blocks = blocks_of(count, norm_backward_rows);
        const auto at = [&](const void* p) { return p == nullptr ? nullptr : static_cast<const T*>(p) + row * h; };
        const NormBackward<T> a{static_cast<T*>(dx) + row * h,
                                reinterpret_cast<float*>(runtime.workspace),
                                at(dy),
                                at(d_residual),
                                at(x),
                                rstd + row,
                                static_cast<const T*>(weight),
                                count,
                                h};
        launch(runtime, "rms_norm.backward", whole ? rms_norm_backward_kernel<true, T> : rms_norm_backward_kernel<false, T>,
               dim3(static_cast<unsigned>(blocks)), dim3(norm_backward_threads), 0, a);
        launch(runtime, "rms_norm.backward_total", rms_norm_total_kernel,
               dim3(static_cast<unsigned>(blocks_of(h, norm_total_columns))), dim3(norm_total_columns), 0, d_weight, a.partial,
               blocks, h);
    }
}

} // namespace

void add_rms_norm(Kernels& k) {
    k.rms_norm_forward[LF_F32] = forward<float>;
    k.rms_norm_forward[LF_BF16] = forward<bf16>;
    k.rms_norm_backward[LF_F32] = backward<float>;
    k.rms_norm_backward[LF_BF16] = backward<bf16>;
}

} // namespace luffy
