#include "sampling.h"

#include "../../common/kernels.h"
#include "../device/philox.h"
#include "../host_integers.h"

namespace luffy {
namespace {

enum class Draw { none, largest, noisy };

LF_DEVICE bool before(const DrawnToken& a, const DrawnToken& b) {
    return a.value > b.value || (a.value == b.value && a.id < b.id);
}

LF_DEVICE DrawnToken largest_of_warp(DrawnToken token) {
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        const DrawnToken other{__shfl_xor_sync(all_lanes, token.value, lanes), __shfl_xor_sync(all_lanes, token.id, lanes)};
        if (before(other, token)) token = other;
    }
    return token;
}

LF_DEVICE bool is_kept(float logit, int id, const KeptTokens& kept, float min_p) {
    if (logit < kept.least || (logit == kept.least && id > kept.last_tie)) return false;
    return !(min_p > 0 && device_exp(logit - kept.maximum) < min_p);
}

// The lane's tokens of its block, which begins at `start`, divided by the temperature; −∞ beyond the vocabulary.
template <bool Aligned>
LF_DEVICE void load_logits(float (&z)[lane_tokens], const float* __restrict__ row, int start, int lane,
                           const SampleArguments& a) {
#pragma unroll
    for (int i = 0; i < lane_tokens; i += 4) {
        const int id = start + block_place(lane, i);
        if (Aligned) {
            // The vocabulary is a multiple of four: a piece is inside of it or beyond.
            Vector<float, 4> piece{{-infinity(), -infinity(), -infinity(), -infinity()}};
            if (id < a.vocabulary) piece = load_vector<4>(row + id);
#pragma unroll
            for (int j = 0; j < 4; j++) z[i + j] = piece[j];
        } else {
#pragma unroll
            for (int j = 0; j < 4; j++) z[i + j] = id + j < a.vocabulary ? row[id + j] : -infinity();
        }
    }
    scale_logits(z, a.temperature);
}

LF_DEVICE DrawnToken largest(const float (&z)[lane_tokens], int start, int lane) {
    DrawnToken best{-infinity(), 0};
#pragma unroll
    for (int i = 0; i < lane_tokens; i++) {
        const DrawnToken token{z[i], start + block_place(lane, i)};
        if (before(token, best)) best = token;
    }
    return best;
}

// The warp's token with the largest z + g. −ln u ≥ 1 − u, so that e^(z + g) = e^z/(−ln u) is no more than e^z/(1 − u): only few
// tokens need logarithms. e is e^(z − reference), the reference that of the lane's block.
LF_DEVICE DrawnToken largest_noisy(const float (&z)[lane_tokens], const float (&e)[lane_tokens], float reference, int start,
                                   int lane, const float* __restrict__ row, const int32_t* __restrict__ key,
                                   const SampleArguments& a) {
    const auto words_of = [&](int id) {
        return philox(static_cast<uint32_t>(id) / 4, static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[1]),
                      static_cast<uint32_t>(key[2]), a.options.seed);
    };
    float complement[lane_tokens];
    float best_e = 0, best_complement = 1, best_z = -infinity();
    int best_id = 0;
#pragma unroll
    for (int i = 0; i < lane_tokens; i += 4) {
        const int id = start + block_place(lane, i);
        const RandomWords words = words_of(id);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            complement[i + j] = uniform_complement(words.word[j]);
            if (e[i + j] * best_complement > best_e * complement[i + j]) {
                best_e = e[i + j];
                best_complement = complement[i + j];
                best_z = z[i + j];
                best_id = id + j;
            }
        }
    }
    DrawnToken best{best_z + gumbel(best_complement), best_id};
    const float passed = warp_max(best.value);
    // Less by what rounding, of the exponentials too, may have added.
    const float bound = device_exp(passed - reference) * 0.999f;
    uint32_t others = 0;
#pragma unroll
    for (int i = 0; i < lane_tokens; i++) {
        if (e[i] >= complement[i] * bound && e[i] > 0) others |= 1u << i;
    }
    for (int i = 0; others != 0; i++, others >>= 1) {
        if ((others & 1) == 0) continue;
        const int id = start + block_place(lane, i), j = id % 4;
        const RandomWords words = words_of(id);
        const uint32_t word = j == 0 ? words.word[0] : j == 1 ? words.word[1] : j == 2 ? words.word[2] : words.word[3];
        const float logit = a.temperature.value == 1.0f ? row[id] : scale_logit(row[id], a.temperature);
        const DrawnToken token{logit + gumbel(uniform_complement(word)), id};
        if (before(token, best)) best = token;
    }
    return largest_of_warp(best);
}

// Sums of four blocks of the vocabulary and the draw among their tokens; a warp for each range of them. Filtered: only of what is
// kept.
template <bool Aligned, Draw draw, bool Filtered>
__global__ void __launch_bounds__(32 * draw_warps) draw_kernel(const SampleArguments a, const int32_t* __restrict__ keys) {
    const int lane = static_cast<int>(threadIdx.x) % 32, warps = static_cast<int>(blockDim.x) / 32,
              row_grid = (a.ranges + warps - 1) / warps;
    const int64_t r = blockIdx.x / static_cast<unsigned>(row_grid);
    const int range =
        (static_cast<int>(blockIdx.x) - static_cast<int>(r) * row_grid) * warps + static_cast<int>(threadIdx.x) / 32;
    if (range >= a.ranges) return;
    const int block = range * warp_blocks + lane / block_lanes, start = block * vocabulary_block;
    const float* __restrict__ row = a.logits + r * a.vocabulary;
    float z[lane_tokens], e[lane_tokens];
    if (Filtered) {
        const KeptTokens kept = a.kept[r];
        const bool reads = block < a.blocks && !(a.sums[r * a.blocks + block].maximum < kept.bound);
        load_logits<Aligned>(z, row, reads ? start : a.vocabulary, lane, a);
#pragma unroll
        for (int i = 0; i < lane_tokens; i++) {
            if (!is_kept(z[i], start + block_place(lane, i), kept, a.options.min_p)) z[i] = -infinity();
        }
    } else {
        load_logits<Aligned>(z, row, start, lane, a);
    }
    const BlockSums sums = sum_block<false>(z, [&](int i, const float(&terms)[4]) {
#pragma unroll
        for (int j = 0; j < 4; j++) e[i + j] = terms[j];
    });
    if (lane % block_lanes == 0 && block < a.blocks) (Filtered ? a.kept_sums : a.sums)[r * a.blocks + block] = sums;
    if (draw == Draw::none) return;
    DrawnToken token;
    if (draw == Draw::largest)
        token = largest_of_warp(largest(z, start, lane));
    else
        token = largest_noisy(z, e, finite_maximum(sums.maximum), start, lane, row, keys + 3 * r, a);
    if (lane == 0) a.drawn[r * a.ranges + range] = token;
}

// The token of a row, and its log-probs; a block for each row.
__global__ void __launch_bounds__(32 * row_warps)
    finish_kernel(int32_t* __restrict__ ids, float* __restrict__ log_probs, float* __restrict__ sampled_log_probs,
                  const SampleArguments a, bool greedy, bool filtered) {
    __shared__ RowMemory memory;
    __shared__ DrawnToken best[row_warps];
    const int64_t r = blockIdx.x;
    const int warps = static_cast<int>(blockDim.x) / 32, warp = static_cast<int>(threadIdx.x) / 32;
    DrawnToken token{-infinity(), 0};
    for (int i = static_cast<int>(threadIdx.x); i < a.ranges; i += static_cast<int>(blockDim.x)) {
        const DrawnToken other = a.drawn[r * a.ranges + i];
        if (before(other, token)) token = other;
    }
    token = largest_of_warp(token);
    if (threadIdx.x % 32 == 0) best[warp] = token;
    __syncthreads();
    for (int w = 0; w < warps; w++) {
        if (before(best[w], token)) token = best[w];
    }
    float z = a.logits[r * a.vocabulary + token.id];
    if (a.temperature.value != 1.0f) z = scale_logit(z, a.temperature);
    const float full = z - sum_row(a.sums + r * a.blocks, a.blocks, memory).log_sum_exp;
    // The same routine over the same values gives the same bits where the filters kept everything.
    const float among = filtered ? z - sum_row(a.kept_sums + r * a.blocks, a.blocks, memory).log_sum_exp : full;
    if (threadIdx.x != 0) return;
    ids[r] = token.id;
    log_probs[r] = full;
    sampled_log_probs[r] = greedy ? 0.0f : among;
}

// Where everything lies in the scratch; returns its bytes.
int64_t lay_out(SampleArguments& a, int64_t rows, char* scratch) {
    int64_t end = 0;
    const auto take = [&](auto*& array, int64_t length) {
        array = reinterpret_cast<decltype(+array)>(scratch + end);
        end = (end + length * static_cast<int64_t>(sizeof *array) + 15) / 16 * 16;
    };
    take(a.sums, rows * a.blocks);
    take(a.kept_sums, rows * a.blocks);
    take(a.drawn, rows * a.ranges);
    take(a.kept, rows);
    take(a.lists, rows * a.blocks);
    return end;
}

SampleArguments arguments_of(int64_t vocabulary, const lf_sampling_options& options) {
    const int64_t blocks = vocabulary_blocks_of(vocabulary);
    return {nullptr,
            static_cast<int32_t>(vocabulary),
            static_cast<int32_t>(blocks),
            static_cast<int32_t>((blocks + warp_blocks - 1) / warp_blocks),
            Temperature(options.temperature == 0 ? 1.0f : options.temperature),
            options,
            nullptr,
            nullptr,
            nullptr,
            nullptr,
            nullptr};
}

template <Draw draw, bool Filtered>
void draw_tokens(const Runtime& runtime, const SampleArguments& a, const int32_t* keys, int64_t rows) {
    const int warps = a.ranges < draw_warps ? a.ranges : draw_warps;
    const dim3 grid(static_cast<unsigned>(rows * blocks_of(a.ranges, warps))), block(static_cast<unsigned>(32 * warps));
    const bool aligned = a.vocabulary % 4 == 0 && reinterpret_cast<uintptr_t>(a.logits) % 16 == 0;
    const auto kernel = aligned ? draw_kernel<true, draw, Filtered> : draw_kernel<false, draw, Filtered>;
    launch(runtime, "Sampling.draw", kernel, grid, block, 0, a, keys);
}

int64_t sampling_scratch(const Runtime&, int64_t rows, int64_t vocabulary) {
    SampleArguments a = arguments_of(vocabulary, {});
    return lay_out(a, rows, nullptr);
}

void sample(const Runtime& runtime, int32_t* ids, float* log_probs, float* sampled_log_probs, const float* logits,
            const int32_t* keys, int64_t rows, int64_t vocabulary, const lf_sampling_options& options, char* scratch) {
    if (rows == 0) return;
    SampleArguments a = arguments_of(vocabulary, options);
    a.logits = logits;
    lay_out(a, rows, scratch);
    const bool greedy = options.temperature == 0,
               filtered = !greedy && (options.top_k != 0 || options.top_p < 1 || options.min_p > 0);
    if (greedy) {
        draw_tokens<Draw::largest, false>(runtime, a, keys, rows);
    } else if (!filtered) {
        draw_tokens<Draw::noisy, false>(runtime, a, keys, rows);
    } else {
        draw_tokens<Draw::none, false>(runtime, a, keys, rows);
        filter_rows(runtime, a, rows);
        draw_tokens<Draw::noisy, true>(runtime, a, keys, rows);
    }
    launch(runtime, "Sampling.finish", finish_kernel, dim3(static_cast<unsigned>(rows)), dim3(row_threads(a.blocks)), 0, ids,
           log_probs, sampled_log_probs, a, greedy, filtered);
    runtime.integers->forget(ids, rows * 4);
}

} // namespace

void add_sampling(Kernels& kernels) {
    kernels.sampling_scratch = sampling_scratch;
    kernels.sample = sample;
}

} // namespace luffy
