// The kernel of ops/product.h for any product class, and its launch.
#ifndef LUFFY_CUDA_OPS_PRODUCT_KERNEL_H
#define LUFFY_CUDA_OPS_PRODUCT_KERNEL_H

#include "../device/product.h"
#include "product.h"

namespace luffy {

// Where the sums go.
struct ProductResult {
    void* data;
    int64_t stride;
    int32_t rows, columns;
    bool rounds; // bf16 instead of f32
    bool adds;
    bool pairs; // two neighbouring elements, the first of them even, may be written at once
    const void* bias;
};

inline ProductResult product_result(const ProductArguments& p) {
    const bool rounds = p.c_dtype == LF_BF16;
    const bool pairs = reinterpret_cast<uintptr_t>(p.c) % (rounds ? 4 : 8) == 0 && p.c_stride % 2 == 0 && p.n % 2 == 0;
    return {p.c, p.c_stride, static_cast<int32_t>(p.m), static_cast<int32_t>(p.n), rounds, p.adds, pairs, p.bias};
}

// What chains start from.
template <class P>
LF_DEVICE void start_sums(const P& product, typename P::Accumulators& sums, const ProductResult& c, int row, int column) {
    if (!c.adds) {
        sums.clear();
        return;
    }
    const float* data = static_cast<const float*>(c.data);
    product.for_each_pair(sums, [&](int i, int j, float& first, float& second) {
        const float* from = data + int64_t{row + i} * c.stride + column + j;
        const bool inside = row + i < c.rows;
        if (c.pairs && inside && column + j < c.columns) {
            const Vector<float, 2> pair = load_vector<2>(from);
            first = pair[0];
            second = pair[1];
        } else {
            first = inside && column + j < c.columns ? from[0] : 0.0f;
            second = inside && column + j + 1 < c.columns ? from[1] : 0.0f;
        }
    });
}

template <class T> LF_DEVICE void store_pair(T* to, float first, float second, bool at_once, bool has_second) {
    if (at_once) {
        Vector<T, 2> pair;
        store(&pair[0], first);
        store(&pair[1], second);
        store_vector(to, pair);
    } else {
        store(to, first);
        if (has_second) store(to + 1, second);
    }
}

template <class P>
LF_DEVICE void store_sums(const P& product, typename P::Accumulators& sums, const ProductResult& c, int row, int column) {
    const typename P::Element* bias = static_cast<const typename P::Element*>(c.bias);
    product.for_each_pair(sums, [&](int i, int j, float& first, float& second) {
        if (row + i >= c.rows || column + j >= c.columns) return;
        const bool has_second = column + j + 1 < c.columns;
        if (bias != nullptr) {
            first += load(bias + column + j);
            if (has_second) second += load(bias + column + j + 1);
        }
        const int64_t at = int64_t{row + i} * c.stride + column + j;
        if (c.rounds)
            store_pair(static_cast<bf16*>(c.data) + at, first, second, c.pairs, has_second);
        else
            store_pair(static_cast<float*>(c.data) + at, first, second, c.pairs, has_second);
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
           P::shared_bytes, P::operand_a(a), P::operand_b(b), product_result(p));
}

// The instructions to choose from.
void product_by_fma(const Runtime& runtime, const char* name, const ProductArguments& arguments);
void product_by_mma(const Runtime& runtime, const char* name, const ProductArguments& arguments);
void product_by_wgmma(const Runtime& runtime, const char* name, const ProductArguments& arguments);

} // namespace luffy

#endif
