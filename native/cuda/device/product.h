// Products of tiles: what every kernel that multiplies matrices is built from.
//
//     C[m, n] = Σ_k A[m, k] · B[n, k]          A: [M, K], B: [N, K], each of them stored either way round
//
// One product class per way of multiplying, all with the same members, so that a kernel is written once, as a template of its
// product:
//     MmaProduct    product_mma.h    bf16, mma.sync (compute capability 8.0 and later)
//     WgmmaProduct  product_wgmma.h  bf16, wgmma fed by TMA (compute capability 9.0)
//     FmaProduct    product_fma.h    f32, fused multiply-adds
//
// Members of a product class P:
//     P::Element                    what the operands consist of: bf16 or float
//     P::rows, P::columns           the tile of C that a block works out
//     P::threads, P::blocks         threads of a block and blocks of a multiprocessor: __launch_bounds__(P::threads, P::blocks)
//     P::loads_ahead                whether it has threads of its own for loads, so that a block does well to take several tiles
//     P::shared_bytes               dynamic shared memory that it needs, at the start of the block's
//     P::Operand                    one matrix, by value: a kernel's parameter, declared `const __grid_constant__ typename
//     P::Operand a` P::operand_a(matrix), P::operand_b(matrix)
//                                   make them on the host, of a ProductMatrix
//     P product(shared);            every thread, once in a kernel; shared is the start of the dynamic shared memory
//     P::Accumulators sums;         registers; sums.clear() before a chain, or for_each to put in what is there
//     product.run(sums, a, b, row, column)
//                                   every thread: adds Σ_k A[row + i, k]·B[column + j, k] over all of K to sums. Elements outside
//                                   of the matrices count as zero, so that any row, column and shape will do.
//     product.computes()            false for threads that only load: they go through every run() as the others do, and hold no
//     sums product.synchronize()         a barrier of the threads that compute, and of nobody else: kernels call this one, never
//                                   __syncthreads(), between the first run() and their end
//     product.thread()              0 … P::compute_threads − 1 among those that compute
//     product.for_each(sums, [&](int i, int j, float& value) { … })
//                                   the calling thread's elements of the tile, i < P::rows, j < P::columns (outside of C too:
//                                   compare with its size); unrolled at compile time. Only where computes().
//     product.for_each_pair(sums, [&](int i, int j, float& first, float& second) { … })
//                                   elements (i, j) and (i, j + 1), j even
//     product.to_shared(sums, tile, pitch)
//                                   tile[i·pitch + j] = the sums as f32, then synchronize(): for epilogues that need whole rows.
//                                   A pitch of P::columns + 4 spreads rows over the banks. `tile` must not lie in the first
//                                   P::shared_bytes, which the next run() may already be filling.
//     product.for_each_strip(sums, [&](int i, int j, const float* strip) { … })
//                                   bf16's products alone: the sums of the warp, P::strip_rows × P::strip_columns at a time, as
//                                   strip[row · P::strip_pitch + column] in the warp's own piece of shared memory, for all of its
//                                   lanes to read: tile element (i, j) is the first. The kernel is given P::strip_bytes more than
//                                   P::shared_bytes. By all threads that compute, at the end of a kernel's tile.
// Sums must stay floats between run() and wherever they go, and come from floats: where nvcc carries them as integers (memcpy, a
// Vector of bits), ptxas waits for every wgmma before the next and says so (C7514).
//
// How a kernel that needs whole rows (the loss) uses it; several column tiles of one row tile, one after another:
//
//     template <class P>
//     __global__ void __launch_bounds__(P::threads, P::blocks) logits_kernel(const __grid_constant__ typename P::Operand hidden,
//                                                                 const __grid_constant__ typename P::Operand head, …) {
//         LUFFY_DYNAMIC_SHARED(char, shared);
//         float* tile = reinterpret_cast<float*>(shared + P::shared_bytes);   // launched with shared_bytes + rows·pitch·4
//         P product(shared);
//         for (int64_t column = …; column < vocabulary; column += P::columns) {
//             typename P::Accumulators sums;
//             sums.clear();
//             product.run(sums, hidden, head, row, column);
//             if (product.computes()) {
//                 product.to_shared(sums, tile, P::columns + 4);
//                 … rows of the tile, by product.thread() …
//                 product.synchronize();                                     // before the tile is written again
//             }
//         }
//     }
//
// Batch invariance. An element is one chain: from its starting value, K ascending, a multiply-add of 16 terms a step by the
// tensor cores (one fmaf a term in f32), K padded with zeros to a multiple of product_depth. Which tile, thread, block or kernel
// works it out does not matter. That rests on one assumption about the hardware: that an mma (or wgmma) works out each element of
// its result from that element's row of A, column of B and start value alone, in the same way at each place of the tile (and, of
// wgmma, at each N). NVIDIA does not document it; all known tensor cores are so, and tests/product.cu holds
// every class of tiles to the same bits on the GPU that it runs on. mma and wgmma are not assumed to agree with each other.
#ifndef LUFFY_CUDA_DEVICE_PRODUCT_H
#define LUFFY_CUDA_DEVICE_PRODUCT_H

#include "elements.h"
#include "platform.h"

#include <cstdint>

namespace luffy {

// What runs along a row of an operand in memory.
enum class Major {
    k, // [M, K] or [N, K], as x and the weight lie in x·Wᵀ
    mn // [K, M] or [K, N], as the weight lies in dy·W, and both operands in dyᵀ·x
};

// A matrix in device memory that is an operand of a product.
template <class T> struct ProductMatrix {
    const T* data;
    int64_t extent; // M or N
    int64_t depth;  // K
    int64_t stride; // elements between two rows in memory, each of `depth` (Major::k) or `extent` (Major::mn) elements
};

// K is padded with zeros to a multiple of this, in every product of bf16.
constexpr int product_depth = 64;

// Rows of 16-byte pieces, none of which is partly outside: what asynchronous copies ask for.
template <Major major, class T> bool has_whole_pieces(const ProductMatrix<T>& matrix) {
    constexpr int64_t piece = 16 / sizeof(T);
    return reinterpret_cast<uintptr_t>(matrix.data) % 16 == 0 && matrix.stride % piece == 0 &&
           (major == Major::k ? matrix.depth : matrix.extent) % piece == 0;
}

// Tiles in an order in which blocks that run at the same time share rows and columns: bands of so many row tiles, column after
// column.
constexpr int tile_band = 16;

struct TilePlace {
    int row, column; // counted in tiles
};

LF_DEVICE TilePlace tile_place(int tile, int row_tiles, int column_tiles) {
    const int band = tile / (tile_band * column_tiles), first = band * tile_band;
    const int height = row_tiles - first < tile_band ? row_tiles - first : tile_band;
    const int inside = tile - first * column_tiles;
    return {first + inside % height, inside / height};
}

// A warp's fragments of 16 rows by Columns, four sums of 8 columns at a time in the layout of mma_bf16, to shared memory. What
// was there before has been read when this writes, and the lanes see all of it when it returns.
template <int Columns, int Pitch> LF_DEVICE void put_strip(float* strip, const float* fragments) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    __syncwarp();
#pragma unroll
    for (int j = 0; j < Columns / 8; j++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const float* pair = fragments + j * 4 + half * 2;
            // Not store_vector, whose integers nvcc would carry back to the products: wgmma then waits for copies of all sums.
            *reinterpret_cast<float2*>(strip + (half * 8 + lane / 4) * Pitch + j * 8 + lane % 4 * 2) =
                make_float2(pair[0], pair[1]);
        }
    __syncwarp();
}

} // namespace luffy

#endif
