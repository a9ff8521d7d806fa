// What the bf16 kernels of training, prefill and decoding share: a warp's 16 rows and what a block of keys does to their sums.
#ifndef LUFFY_CUDA_ATTENTION_FORWARD_BF16_H
#define LUFFY_CUDA_ATTENTION_FORWARD_BF16_H

#include "calls.h"
#include "softmax.h"
#include "products_mma.h"
#include "products_wgmma.h"

namespace luffy::attention {

// A stage of shared memory: a block of keys and its values. Heads of 256 elements have blocks for either half of their outputs,
// so that a row's two sums fit in registers.
template <class Products, int Width> struct KeyTiles {
    using Layout = typename Products::Layout;
    static constexpr int columns = output_columns<Width>, parts = Width / columns;
    static constexpr int value_offset = Layout::template elements<key_block, Width>;
    static constexpr int elements = value_offset + Layout::template elements<key_block, columns>;

    template <int Threads, class Source>
    LF_DEVICE static void fetch(bf16* stage, const Source& rows, int first, int context, int first_column, int head_dim,
                                bool aligned) {
        load_tiles<Layout, key_block, Width, columns, Threads>(stage, stage + value_offset, rows, first, context, first_column,
                                                               head_dim, aligned);
        copy_async_commit();
    }

    // Waits until at most N of the latest stages are under way, and shows the others to the block.
    template <int N> LF_DEVICE static void receive() {
        copy_async_wait<N>();
        Products::publish();
        __syncthreads();
    }
};

// Tells the body how many stages a block has: two, or one where two do not fit into this GPU's shared memory. Which one says
// nothing of the bits.
template <class Products, template <class, int, int> class Tile, int Width, class Body>
void with_stages(const Runtime& runtime, Body&& body) {
    if constexpr (std::is_same_v<Products, MmaProducts> && Tile<Products, Width, 2>::shared_bytes > least_shared_bytes) {
        static_assert(Tile<Products, Width, 1>::shared_bytes <= least_shared_bytes);
        if (runtime.shared_memory_of_block < Tile<Products, Width, 2>::shared_bytes)
            return body(std::integral_constant<int, 1>());
    }
    body(std::integral_constant<int, 2>());
}

// The first place in shared memory where tiles may lie.
template <class Products> LF_DEVICE bf16* align_tiles(bf16* shared) {
    if (Products::alignment <= 16) return shared;
    const uint32_t past = shared_address(shared) % Products::alignment;
    return shared + (past == 0 ? 0 : (Products::alignment - past) / 2);
}

template <class Products> constexpr int alignment_bytes = Products::alignment <= 16 ? 0 : Products::alignment;

// Rows g and g + 8 of a warp in one lane: the largest score, this lane's part of the sum of weights, and the weighted values.
template <int Columns> struct WarpSums {
    float maximum[2], sum[2], output[Columns / 8][4];

    LF_DEVICE void clear() {
#pragma unroll
        for (int r = 0; r < 2; r++) {
            maximum[r] = -INFINITY;
            sum[r] = 0;
        }
#pragma unroll
        for (int n = 0; n < Columns / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) output[n][e] = 0;
    }

    // One step of the online softmax. Where `masked`, seen(r) tells how many keys the lane's row r sees, counted from the
    // sequence's start, as `first` is.
    template <class Products, int Width, class Queries, class Seen>
    LF_DEVICE void add_block(const Queries& queries, const bf16* stage, int first, bool masked, const Seen& seen, float power) {
        constexpr int key_tiles = key_block / 8;
        float scores[key_tiles][4];
        Products::multiply(scores, queries, stage);
        if (masked) {
            const int key = first + lane_index() % 4 * 2, ends[2] = {seen(0) - key, seen(1) - key};
#pragma unroll
            for (int n = 0; n < key_tiles; n++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    if (8 * n + e % 2 >= ends[e / 2]) scores[n][e] = -INFINITY;
        }
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float largest = fmaxf(scores[0][2 * r], scores[0][2 * r + 1]);
#pragma unroll
            for (int n = 1; n < key_tiles; n++) largest = fmaxf(largest, fmaxf(scores[n][2 * r], scores[n][2 * r + 1]));
            largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 1));
            largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFu, largest, 2));
            const float next = fmaxf(maximum[r], largest), factor = rescale(maximum[r], next, power);
            const float reference = finite_maximum(next);
            float weights = 0;
#pragma unroll
            for (int n = 0; n < key_tiles; n++)
#pragma unroll
                for (int e = 2 * r; e < 2 * r + 2; e++) {
                    scores[n][e] = weigh(scores[n][e], reference, power);
                    weights += scores[n][e];
                }
            sum[r] = fmaf(sum[r], factor, weights);
            maximum[r] = next;
#pragma unroll
            for (int n = 0; n < Columns / 8; n++) {
                output[n][2 * r] *= factor;
                output[n][2 * r + 1] *= factor;
            }
        }
        Products::template add_values<Columns>(output, scores, stage + KeyTiles<Products, Width>::value_offset);
    }

    // The chunk is complete: every lane of a row has the whole sum.
    LF_DEVICE void reduce() {
#pragma unroll
        for (int r = 0; r < 2; r++) {
            sum[r] += __shfl_xor_sync(0xFFFFFFFFu, sum[r], 1);
            sum[r] += __shfl_xor_sync(0xFFFFFFFFu, sum[r], 2);
        }
    }

    LF_DEVICE void merge_row(int r, const WarpSums& chunk, const MergeFactors& factors) {
#pragma unroll
        for (int n = 0; n < Columns / 8; n++)
#pragma unroll
            for (int e = 2 * r; e < 2 * r + 2; e++) output[n][e] = merge(output[n][e], chunk.output[n][e], factors);
    }
};

} // namespace luffy::attention

#endif
