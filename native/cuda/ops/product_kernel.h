// The kernel of ops/product.h for any product class, and its launch.
#ifndef LUFFY_CUDA_OPS_PRODUCT_KERNEL_H
#define LUFFY_CUDA_OPS_PRODUCT_KERNEL_H

#include "../device/product_fma.h"
#include "product.h"

namespace luffy {

// Where the sums go.
struct ProductResult {
    void* data;
    int64_t stride;
    int32_t rows, columns;
    bool rounds; // bf16 instead of f32
    bool adds;
    bool vectors; // 16 bytes of a row may be written at once
    const void* bias;
};

inline ProductResult product_result(const ProductArguments& p) {
    const bool rounds = p.c_dtype == LF_BF16;
    const bool vectors = reinterpret_cast<uintptr_t>(p.c) % 16 == 0 && p.c_stride % (rounds ? 8 : 4) == 0;
    return {p.c, p.c_stride, static_cast<int32_t>(p.m), static_cast<int32_t>(p.n), rounds, p.adds, vectors, p.bias};
}

// What chains start from.
template <class P>
LF_DEVICE void start_sums(const P& product, typename P::Accumulators& sums, const ProductResult& c, int row, int column) {
    if (!c.adds) {
        sums.clear();
        return;
    }
    const float* data = static_cast<const float*>(c.data) + row * c.stride + column;
    const int rows = c.rows - row, columns = c.columns - column;
    if (c.vectors && rows >= P::rows && columns >= P::columns) {
        product.for_each_pair(sums, [&](int i, int j, float& first, float& second) {
            // Not load_vector, for the reason that put_strip gives.
            const float2 pair = *reinterpret_cast<const float2*>(data + i * c.stride + j);
            first = pair.x;
            second = pair.y;
        });
    } else {
        product.for_each(sums,
                         [&](int i, int j, float& value) { value = i < rows && j < columns ? data[i * c.stride + j] : 0.0f; });
    }
}

// A strip of sums that lies in shared memory, by the lanes of a warp: the bias is added, then 16 bytes are written at a time.
template <class P, class T> LF_DEVICE void store_strip(const float* strip, const ProductResult& c, int row, int column) {
    constexpr int width = vector_width<T>, vectors_of_row = P::strip_columns / width;
    const auto* bias = static_cast<const typename P::Element*>(c.bias);
    for (int index = static_cast<int>(threadIdx.x) % 32; index < P::strip_rows * vectors_of_row; index += 32) {
        const int i = index / vectors_of_row, j = index % vectors_of_row * width;
        if (row + i >= c.rows) continue;
        float values[width];
#pragma unroll
        for (int part = 0; part < width; part += 4) {
            const Vector<float, 4> four = load_vector<4>(strip + i * P::strip_pitch + j + part);
#pragma unroll
            for (int e = 0; e < 4; e++) values[part + e] = four[e];
        }
        const int left = c.columns - column - j;
        if (bias != nullptr) {
#pragma unroll
            for (int e = 0; e < width; e++)
                if (e < left) values[e] += load(bias + column + j + e);
        }
        T* to = static_cast<T*>(c.data) + (row + i) * c.stride + column + j;
        if (c.vectors && left >= width) {
            Vector<T, width> stored;
#pragma unroll
            for (int e = 0; e < width; e++) store(&stored[e], values[e]);
            store_vector(to, stored);
        } else {
#pragma unroll
            for (int e = 0; e < width; e++)
                if (e < left) store(to + e, values[e]);
        }
    }
}

// Each warp's sums through its own piece of shared memory, a strip at a time: in registers, rows are spread over lanes.
template <class P>
LF_DEVICE void store_sums(const P& product, typename P::Accumulators& sums, const ProductResult& c, int row, int column) {
    product.for_each_strip(sums, [&](int i, int j, const float* strip) {
        if (c.rounds)
            store_strip<P, bf16>(strip, c, row + i, column + j);
        else
            store_strip<P, float>(strip, c, row + i, column + j);
    });
}

// In f32 four of a thread's sums are neighbours already.
template <Major major_a, Major major_b, int Rows, int Columns, int ThreadRows, int ThreadColumns>
LF_DEVICE void store_sums(const FmaProduct<major_a, major_b, Rows, Columns, ThreadRows, ThreadColumns>& product,
                          typename FmaProduct<major_a, major_b, Rows, Columns, ThreadRows, ThreadColumns>::Accumulators& sums,
                          const ProductResult& c, int row, int column) {
    product.for_each(sums, [&](int i, int j, float& value) {
        if (row + i >= c.rows || column + j >= c.columns) return;
        if (c.bias != nullptr) value += static_cast<const float*>(c.bias)[column + j];
        static_cast<float*>(c.data)[(row + i) * c.stride + column + j] = value;
    });
}

// Where a product has threads of its own for loads, a block takes tile after tile, as many apart as there are blocks, and loads
// run ahead across tiles: the next tile's operands arrive while the sums of this one are written. Elsewhere a block takes one
// tile.
template <class P>
__global__ void __launch_bounds__(P::threads, P::blocks)
    product_kernel(const __grid_constant__ typename P::Operand a, const __grid_constant__ typename P::Operand b,
                   ProductResult c) {
    LUFFY_DYNAMIC_SHARED(char, shared);
    P product(shared);
    const int row_tiles = (c.rows + P::rows - 1) / P::rows, column_tiles = (c.columns + P::columns - 1) / P::columns;
    int tile = static_cast<int>(blockIdx.x);
    do {
        const TilePlace place = tile_place(tile, row_tiles, column_tiles);
        const int row = place.row * P::rows, column = place.column * P::columns;
        typename P::Accumulators sums;
        if (product.computes()) start_sums(product, sums, c, row, column);
        product.run(sums, a, b, row, column);
        if (product.computes()) store_sums(product, sums, c, row, column);
        tile += static_cast<int>(gridDim.x);
    } while (P::loads_ahead && tile < row_tiles * column_tiles);
}

// Tiles of the product class P that cover C.
template <class P> int64_t tiles_of(const ProductArguments& p) { return blocks_of(p.m, P::rows) * blocks_of(p.n, P::columns); }

template <class P> void launch_product(const Runtime& runtime, const char* name, const ProductArguments& p) {
    using T = typename P::Element;
    const ProductMatrix<T> a{static_cast<const T*>(p.a), p.m, p.k, p.a_stride},
        b{static_cast<const T*>(p.b), p.n, p.k, p.b_stride};
    const int64_t tiles = tiles_of<P>(p), most = P::loads_ahead ? int64_t{P::blocks} * runtime.multiprocessors : INT32_MAX;
    launch(runtime, name, product_kernel<P>, dim3(static_cast<unsigned>(tiles < most ? tiles : most)), dim3(P::threads),
           P::shared_bytes + P::strip_bytes, P::operand_a(a), P::operand_b(b), product_result(p));
}

// The instructions to choose from.
void product_by_fma(const Runtime& runtime, const char* name, const ProductArguments& arguments);
void product_by_mma(const Runtime& runtime, const char* name, const ProductArguments& arguments);
void product_by_wgmma(const Runtime& runtime, const char* name, const ProductArguments& arguments);

} // namespace luffy

#endif
