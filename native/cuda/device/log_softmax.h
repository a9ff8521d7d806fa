// Log-sum-exp and entropy of rows of scaled logits: sums of blocks of 128 tokens, each relative to its own maximum and in one
// order of its own, and then the sum over the blocks: trees over 32 blocks (4,096 tokens), added up in ascending order. The order
// depends on the place of a token in the vocabulary alone; blocks may be summed by any warp. The policy loss and sampling both
// call these routines: that is why the log-prob recorded while sampling has the bits that training computes.
#ifndef LUFFY_CUDA_DEVICE_LOG_SOFTMAX_H
#define LUFFY_CUDA_DEVICE_LOG_SOFTMAX_H

#include "elements.h"
#include "math.h"
#include "platform.h"
#include "reduce.h"

#include <cstdint>

namespace luffy {

constexpr int vocabulary_block = 128;

// A block is the work of 8 lanes side by side: 16 tokens each, in pieces of four that one load takes. A warp has four blocks at a
// time.
constexpr int block_lanes = 8;
constexpr int lane_tokens = vocabulary_block / block_lanes;
constexpr int warp_blocks = 32 / block_lanes;

// The place in its block of the token that is the i-th of a lane.
LF_DEVICE int block_place(int lane, int i) { return i / 4 * (4 * block_lanes) + lane % block_lanes * 4 + i % 4; }

constexpr int64_t vocabulary_blocks_of(int64_t vocabulary) { return (vocabulary + vocabulary_block - 1) / vocabulary_block; }

// What logits are divided by, before everything else.
struct Temperature {
    float value, reciprocal;

    explicit Temperature(float temperature) : value(temperature), reciprocal(1.0f / temperature) {}
};

// z / temperature: a quotient by the reciprocal, and one step of Newton's method with the exact remainder. Infinities, of which
// the remainder is NaN, stay.
LF_DEVICE float scale_logit(float z, const Temperature& temperature) {
    const float quotient = z * temperature.reciprocal, remainder = fmaf(-quotient, temperature.value, z);
    return remainder == remainder ? fmaf(remainder, temperature.reciprocal, quotient) : quotient;
}

LF_DEVICE void scale_logits(float (&z)[lane_tokens], const Temperature& temperature) {
    if (temperature.value == 1.0f) return;
#pragma unroll
    for (int i = 0; i < lane_tokens; i++) z[i] = scale_logit(z[i], temperature);
}

struct alignas(16) BlockSums {
    float maximum;  // −∞ where nothing in the block can be drawn
    float total;    // Σ e^(z − maximum)
    float weighted; // Σ e^(z − maximum)·(z − maximum), for the entropy
    float unused;
};

// What the terms of a block are relative to: its maximum, but finite, because ∞ − ∞ would be NaN.
LF_DEVICE float finite_maximum(float maximum) { return fminf(fmaxf(maximum, -3.402823466e38f), 3.402823466e38f); }

// e^−104 is 0 in f32, and 0·−104 too, where 0·−∞ would be NaN.
LF_DEVICE float bounded_difference(float difference) { return fmaxf(difference, -104.0f); }

// The sums of a block, for each of its 8 lanes. The lane brings its tokens in the order of block_place, −∞ where there is none.
// All lanes of the warp call it. keep(i, e) gets e^(z − maximum) of the tokens i … i + 3; `weighted` is 0 where nobody asks for
// the entropy.
template <bool WithEntropy, class Keep> LF_DEVICE BlockSums sum_block(const float (&z)[lane_tokens], const Keep& keep) {
    float maximum = -infinity(); // and not the first logit, which may be NaN
#pragma unroll
    for (int i = 0; i < lane_tokens; i++) maximum = fmaxf(maximum, z[i]);
#pragma unroll
    for (int lanes = block_lanes / 2; lanes > 0; lanes /= 2) maximum = fmaxf(maximum, __shfl_xor_sync(all_lanes, maximum, lanes));
    const float reference = finite_maximum(maximum);
    float total[2] = {0, 0}, weighted[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < lane_tokens; i += 4) {
        float e[4];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const float difference = z[i + j] - reference;
            e[j] = device_exp(difference);
            total[j % 2] += e[j];
            if (WithEntropy) weighted[j % 2] = fmaf(e[j], bounded_difference(difference), weighted[j % 2]);
        }
        keep(i, e);
    }
    BlockSums sums{maximum, total[0] + total[1], weighted[0] + weighted[1], 0.0f};
#pragma unroll
    for (int lanes = block_lanes / 2; lanes > 0; lanes /= 2) {
        sums.total += __shfl_xor_sync(all_lanes, sums.total, lanes);
        if (WithEntropy) sums.weighted += __shfl_xor_sync(all_lanes, sums.weighted, lanes);
    }
    return sums;
}

struct RowSums {
    float log_sum_exp;
    float entropy; // in nats: with p = e^(z − lse), −Σ p·ln p = ln S − Σ e^(z − m)·(z − m) / S, S = Σ e^(z − m)
};

// Threads of a block that adds up a row: a warp for each 32 blocks, as far as there may be.
constexpr int row_warps = 8;
inline unsigned row_threads(int64_t blocks) {
    const int64_t warps = (blocks + 31) / 32;
    return static_cast<unsigned>(32 * (warps < 1 ? 1 : warps < row_warps ? warps : row_warps));
}

// Shared memory of sum_row.
struct RowMemory {
    float maximum[row_warps], total[row_warps], weighted[row_warps];
};

// Adds up the blocks of a row, for every thread of a block; all of them must call it. `memory` is free again when all have
// returned and met.
LF_DEVICE RowSums sum_row(const BlockSums* __restrict__ sums, int blocks, RowMemory& memory) {
    const int warps = static_cast<int>(blockDim.x) / 32, warp = static_cast<int>(threadIdx.x) / 32,
              lane = static_cast<int>(threadIdx.x) % 32;
    float maximum = -infinity();
    for (int b = static_cast<int>(threadIdx.x); b < blocks; b += static_cast<int>(blockDim.x))
        maximum = fmaxf(maximum, sums[b].maximum);
    maximum = warp_max(maximum);
    __syncthreads(); // the memory may still be read from before
    if (lane == 0) memory.maximum[warp] = maximum;
    __syncthreads();
    for (int w = 0; w < warps; w++) maximum = fmaxf(maximum, memory.maximum[w]);

    float total = 0, weighted = 0;
    for (int start = 0; start < blocks; start += 32 * warps) {
        const int b = start + 32 * warp + lane;
        BlockSums own{-infinity(), 0, 0, 0};
        if (b < blocks) own = sums[b];
        // An empty block, whose −∞ less −∞ would be NaN, adds nothing.
        const float difference = own.total == 0 ? 0.0f : own.maximum - maximum, factor = device_exp(difference);
        const float tree = warp_sum(factor * own.total);
        const float weighted_tree = warp_sum(factor * fmaf(bounded_difference(difference), own.total, own.weighted));
        if (lane == 0) {
            memory.total[warp] = tree;
            memory.weighted[warp] = weighted_tree;
        }
        __syncthreads();
        for (int w = 0; w < warps && start + 32 * w < blocks; w++) {
            total += memory.total[w];
            weighted += memory.weighted[w];
        }
        __syncthreads();
    }
    const float log_total = device_log(total);
    return {maximum + log_total, log_total - weighted / total};
}

} // namespace luffy

#endif
