// Top-k, top-p and min-p of rows of scaled logits, each on what the one before left, a block of threads for each row. Every
// filter is a bound on the logit; where tokens share the last one, an id says how many stay. Nothing is sorted: a bound is found
// four bits at a time, from what the tokens count that agree with the bits so far. Counts and weights are whole numbers, whose
// sum has the same bits in any order. Blocks of the vocabulary whose maximum lies below what is already known are not read.
#include "sampling.h"

#include <cmath>

namespace luffy {
namespace {

using Count = long long;

constexpr int digit_bits = 4, digits = 1 << digit_bits;

// What a token counts beside the most probable one: its probability by that one's in units of 2⁻⁴⁰. A sum of 2²² of them fits.
constexpr float weight_of_one = 1099511627776.0f;

// Of weights that matter beside rounding.
constexpr float margin = 0.001f, least_share = 1e-4f;

struct FilterArguments {
    uint64_t top_p; // ⌈top-p·2³²⌉
    float left_out; // 1 − top-p
    bool aligned;   // rows are whole 16-byte pieces
};

// Dynamic shared memory, then the threads' counters.
struct FilterMemory {
    Count sums[digits];
    Count warps[filter_threads / 32];
    float maxima[filter_threads / 32];
    int32_t listed;
    int32_t unused[3];
};

struct Selection {
    uint32_t
        key; // the largest such that the candidates with it and with larger ones count as much as was wanted, or the least of all
    Count above; // what those with larger ones count
    Count equal; // what those with it count; less than is missing where all together do not count as much as was wanted
};

class RowFilter {
  public:
    LF_DEVICE RowFilter(const SampleArguments& sample, const FilterArguments& filter, int64_t row, FilterMemory* shared)
        : a(sample), f(filter), logits(sample.logits + row * sample.vocabulary), sums(sample.sums + row * sample.blocks),
          list(sample.lists + row * sample.blocks), memory(*shared), counters(reinterpret_cast<Count*>(shared + 1)) {}

    // Every thread of the block; the result is valid for all.
    LF_DEVICE KeptTokens run() {
        KeptTokens kept{find_maximum(), -infinity(), INT32_MAX, -infinity()};
        // Broken logits have no order to filter by.
        if (!(kept.maximum > -infinity() && kept.maximum < infinity())) {
            kept.maximum = __builtin_nanf("");
            return kept;
        }
        const int32_t k = a.options.top_k;
        if (k > 0 && k < a.vocabulary) keep_count(kept, k);
        if (f.left_out > 0) keep_mass(kept);
        kept.bound = kept.least;
        if (a.options.min_p > 0) kept.bound = fmaxf(kept.bound, kept.maximum + device_log(a.options.min_p) - margin);
        return kept;
    }

  private:
    LF_DEVICE int thread() const { return static_cast<int>(threadIdx.x); }
    LF_DEVICE int threads() const { return static_cast<int>(blockDim.x); }
    LF_DEVICE int lane() const { return thread() % 32; }
    LF_DEVICE int warp() const { return thread() / 32; }
    LF_DEVICE int warps() const { return threads() / 32; }

    LF_DEVICE float find_maximum() {
        float maximum = -infinity();
        for (int b = thread(); b < a.blocks; b += threads()) maximum = fmaxf(maximum, sums[b].maximum);
        maximum = warp_max(maximum);
        if (lane() == 0) memory.maxima[warp()] = maximum;
        __syncthreads();
        for (int w = 0; w < warps(); w++) maximum = fmaxf(maximum, memory.maxima[w]);
        return maximum;
    }

    // Ties with the k-th stay.
    LF_DEVICE void keep_count(KeptTokens& kept, int32_t k) {
        // k blocks have a token at least as large as the k-th largest of the blocks' maxima.
        float bound = -infinity();
        if (k <= a.blocks) {
            const auto maxima = [&](const auto& candidate) {
                for (int b = thread(); b < a.blocks; b += threads()) candidate(logit_key(sums[b].maximum), Count{1});
            };
            bound = logit_of_key(select(maxima, k).key);
        }
        list_blocks(bound);
        const auto tokens = [&](const auto& candidate) {
            each_listed(-infinity(), [&](int, float logit) { candidate(logit_key(logit), Count{1}); });
        };
        const Selection last = select(tokens, k);
        if (last.above + last.equal >= k) kept.least = logit_of_key(last.key);
    }

    // The smallest set of the largest tokens whose weight reaches top-p of that of all.
    LF_DEVICE void keep_mass(KeptTokens& kept) {
        const float maximum = kept.maximum;
        const auto weight = [&](float logit) { return static_cast<Count>(device_exp(logit - maximum) * weight_of_one); };
        Count unread = 0;
        if (kept.least == -infinity()) {
            // Tokens below the bound weigh half of what may be left out, all together. Where that is next to nothing, rounding
            // could tell otherwise.
            float bound = -infinity();
            if (f.left_out > least_share) {
                const float total = static_cast<float>(sum(weigh_blocks(maximum, infinity()))) * (1.0f / weight_of_one);
                bound = maximum + device_log(0.5f * f.left_out * total / static_cast<float>(a.vocabulary)) - margin;
            }
            list_blocks(bound);
            unread = weigh_blocks(maximum, bound);
        }
        Count own = unread;
        const float candidates_from = kept.least;
        each_listed(candidates_from, [&](int, float logit) { own += weight(logit); });
        const Count wanted = share_of(sum(own));
        const auto tokens = [&](const auto& candidate) {
            each_listed(candidates_from, [&](int, float logit) { candidate(logit_key(logit), weight(logit)); });
        };
        const Selection last = select(tokens, wanted);
        if (last.above + last.equal < wanted) return;
        // Of the tokens that share the last logit those with the lowest ids that it takes to reach the mass.
        kept.least = logit_of_key(last.key);
        const float least = kept.least;
        const Count each = weight(least), needed = each == 0 ? 1 : (wanted - last.above + each - 1) / each;
        if (needed * each >= last.equal) return;
        const auto ties = [&](const auto& candidate) {
            each_listed(least, [&](int id, float logit) {
                if (logit == least) candidate(~static_cast<uint32_t>(id), Count{1});
            });
        };
        kept.last_tie = static_cast<int32_t>(~select(ties, needed).key);
    }

    // Lists the blocks whose maximum is not below a bound, in any order.
    LF_DEVICE void list_blocks(float bound) {
        __syncthreads();
        if (thread() == 0) memory.listed = 0;
        __syncthreads();
        for (int b = thread(); b < a.blocks; b += threads()) {
            if (!(sums[b].maximum < bound)) list[atomicAdd(&memory.listed, 1)] = b;
        }
        __syncthreads();
    }

    // body(id, logit) for this thread's tokens of the listed blocks, of those that are at least `least`.
    template <class Body> LF_DEVICE void each_listed(float least, const Body& body) const {
        const int listed = memory.listed;
        for (int i = warp(); i < listed; i += warps()) {
            const int id = list[i] * vocabulary_block + 4 * lane();
            const float none = __builtin_nanf("");
            Vector<float, 4> z{{none, none, none, none}};
            if (f.aligned) {
                if (id < a.vocabulary) z = load_vector<4>(logits + id);
            } else {
#pragma unroll
                for (int j = 0; j < 4; j++) z[j] = id + j < a.vocabulary ? logits[id + j] : none;
            }
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const float logit = a.temperature.value == 1.0f ? z[j] : scale_logit(z[j], a.temperature);
                if (logit >= least) body(id + j, logit);
            }
        }
    }

    // This thread's part of the weight of all blocks whose maximum is below a bound.
    LF_DEVICE Count weigh_blocks(float maximum, float bound) const {
        Count weight = 0;
        for (int b = thread(); b < a.blocks; b += threads()) {
            // The total of a block with a broken logit is no number.
            if (sums[b].maximum < bound && sums[b].total > 0)
                weight += static_cast<Count>(sums[b].total * device_exp(sums[b].maximum - maximum) * weight_of_one);
        }
        return weight;
    }

    // `visit` hands (key, count) of this thread's candidates to a function; `wanted` is at least 1. All threads call it.
    template <class Visit> LF_DEVICE Selection select(const Visit& visit, Count wanted) {
        Selection found{0, 0, 0};
        for (int shift = 32 - digit_bits; shift >= 0; shift -= digit_bits) {
            for (int digit = 0; digit < digits; digit++) counters[digit * threads() + thread()] = 0;
            visit([&](uint32_t key, Count count) {
                if (((key ^ found.key) >> shift) < digits)
                    counters[static_cast<int>((key >> shift) % digits) * threads() + thread()] += count;
            });
            __syncthreads();
            for (int digit = warp(); digit < digits; digit += warps()) {
                Count part = 0;
                for (int i = lane(); i < threads(); i += 32) part += counters[digit * threads() + i];
                part = warp_sum(part);
                if (lane() == 0) memory.sums[digit] = part;
            }
            __syncthreads();
            uint32_t digit = digits;
            found.equal = 0;
            do {
                digit--;
                found.above += found.equal;
                found.equal = memory.sums[digit];
            } while (digit > 0 && found.above + found.equal < wanted);
            found.key |= digit << shift;
        }
        return found;
    }

    // The sum of all threads' numbers, for each of them.
    LF_DEVICE Count sum(Count own) {
        own = warp_sum(own);
        __syncthreads();
        if (lane() == 0) memory.warps[warp()] = own;
        __syncthreads();
        Count total = 0;
        for (int w = 0; w < warps(); w++) total += memory.warps[w];
        return total;
    }

    // ⌈total·top-p⌉ and at least 1, in two halves, because the product has more than 64 bits.
    LF_DEVICE Count share_of(Count total) const {
        const uint64_t upper = static_cast<uint64_t>(total) >> 32, lower = static_cast<uint64_t>(total) & 0xFFFFFFFFu;
        const uint64_t wanted = upper * f.top_p + ((lower * f.top_p + 0xFFFFFFFFu) >> 32);
        return wanted == 0 ? 1 : static_cast<Count>(wanted);
    }

    const SampleArguments& a;
    const FilterArguments& f;
    const float* __restrict__ logits;
    const BlockSums* __restrict__ sums;
    int32_t* list;
    FilterMemory& memory;
    Count* counters; // [digits, threads]: a thread's own lie in one column, so that no two are in each other's way
};

__global__ void __launch_bounds__(filter_threads) filter_kernel(const SampleArguments a, const FilterArguments f) {
    LUFFY_DYNAMIC_SHARED(FilterMemory, memory);
    const KeptTokens kept = RowFilter(a, f, blockIdx.x, memory).run();
    if (threadIdx.x == 0) a.kept[blockIdx.x] = kept;
}

} // namespace

void filter_rows(const Runtime& runtime, const SampleArguments& a, int64_t rows) {
    const FilterArguments f{static_cast<uint64_t>(std::ceil(static_cast<double>(a.options.top_p) * 4294967296.0)),
                            1 - a.options.top_p, a.vocabulary % 4 == 0 && reinterpret_cast<uintptr_t>(a.logits) % 16 == 0};
    // A warp for each block of the vocabulary, as far as there may be.
    const int threads = 32 * a.blocks < filter_threads ? 32 * a.blocks : filter_threads;
    const size_t shared = sizeof(FilterMemory) + sizeof(Count) * digits * static_cast<size_t>(threads);
    launch(runtime, "Sampling.filter", filter_kernel, dim3(static_cast<unsigned>(rows)), dim3(static_cast<unsigned>(threads)),
           shared, a, f);
}

} // namespace luffy
