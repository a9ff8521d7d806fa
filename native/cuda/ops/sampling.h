// Sampling: temperature, top-k, top-p, min-p and the Gumbel-max draw; the contract is src/Luffy.Kernels/Ops/Sampling.cs.
//
// A warp takes 512 tokens of a row at once: four 16-byte loads a lane, the sums of their four blocks, and the token with the
// largest noisy logit. One block a row then merges what the warps left. With filters nothing is drawn at first: a block a row
// finds the bounds of what they keep (sampling_filter.cu), and a second round reads the blocks that hold kept tokens.
//
// What it costs, by counting; no GPU has measured it. 128 rows of 151,936 logits are 78 MB, 23 µs at 3.35 TB/s. Some 55
// instructions a token (15 of Philox for the quarter that it shares, 10 of the exponential, 10 of the choice) are 37 µs on 132
// multiprocessors: 60% of the bandwidth, half a percent of a decoding step. Drawing plainly would take two logarithms a token, 30
// instructions more; instead −ln u ≥ 1 − u bounds what noise can do: a lane works out its token with the largest bound, and then
// only those whose bound passes the best of the warp. Four warps a block, because warps share nothing and small blocks start
// sooner; 64 registers leave 8 such blocks a multiprocessor, with 64 KB of loads on their way.
// Filters add a second round of the same and, for top-k and top-p, 9 passes over the listed blocks by a block a row: some 0.1 ms.
#ifndef LUFFY_CUDA_OPS_SAMPLING_H
#define LUFFY_CUDA_OPS_SAMPLING_H

#include "../device/log_softmax.h"
#include "../runtime.h"

namespace luffy {

constexpr int draw_warps = 4;       // of a block, 512 tokens each
constexpr int filter_threads = 512; // of a row

// The largest noisy logit of some tokens; the lowest id among equals, 0 where none can be drawn.
struct DrawnToken {
    float value;
    int32_t id;
};

// What filters keep of a row: tokens above `least`, and those equal to it up to last_tie, as far as min-p agrees.
struct KeptTokens {
    float maximum; // the row's largest logit, which min-p compares with; NaN where the row is not filtered
    float least;
    int32_t last_tie;
    float bound; // blocks whose maximum lies below it have no kept token
};

struct SampleArguments {
    const float* logits; // [rows, vocabulary]
    int32_t vocabulary, blocks, ranges;
    Temperature temperature;
    lf_sampling_options options;
    // Scratch
    BlockSums* sums;      // [rows, blocks], of all tokens
    BlockSums* kept_sums; // [rows, blocks], of those that filters keep
    DrawnToken* drawn;    // [rows, ranges]
    KeptTokens* kept;     // [rows]
    int32_t* lists;       // [rows, blocks]: the blocks that a filter reads
};

// A float's bits made monotone, and back; −0 counts as 0.
LF_DEVICE uint32_t logit_key(float logit) {
    const uint32_t bits = __float_as_uint(logit + 0.0f);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
LF_DEVICE float logit_of_key(uint32_t key) { return __uint_as_float((key & 0x80000000u) != 0 ? key ^ 0x80000000u : ~key); }

// Fills a.kept from a.sums and the logits. Both launch on the runtime's stream.
void filter_rows(const Runtime& runtime, const SampleArguments& a, int64_t rows);

} // namespace luffy

#endif
