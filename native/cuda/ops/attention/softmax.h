// The arithmetic that the softmax of training, prefill and decoding share. The online softmax is that of Milakov and Gimelshein
// (arXiv 1805.02867), a step a block of keys within a chunk; chunks are merged in ascending order by merge_factors and merge.
#ifndef LUFFY_CUDA_ATTENTION_SOFTMAX_H
#define LUFFY_CUDA_ATTENTION_SOFTMAX_H

#include "../../device/math.h"
#include "../../device/platform.h"

namespace luffy::attention {

// e^(scale · (score − maximum)), exactly 1 at the maximum.
LF_DEVICE float weigh(float score, float maximum, float power) { return device_exp2((score - maximum) * power); }

// What earlier sums are multiplied with when the maximum of their scores moves; 1 where it stays, though it may be −∞.
LF_DEVICE float rescale(float before, float after, float power) {
    return before == after ? 1.0f : device_exp2((before - after) * power);
}

// A maximum that scores of −∞ can be taken from.
LF_DEVICE float finite_maximum(float maximum) { return maximum == -INFINITY ? 0.0f : maximum; }

// A row's chunks so far: their largest score and their sum of weights.
struct Statistics {
    float maximum = -INFINITY, sum = 0;
};

// What the merged sums and those of a chunk are multiplied with before they are added.
struct MergeFactors {
    float before, added;
};

LF_DEVICE float merge(float total, float added, const MergeFactors& factors) {
    return fmaf(added, factors.added, total * factors.before);
}

// Merges a chunk's statistics into those of the chunks before.
LF_DEVICE MergeFactors merge_factors(Statistics& total, float maximum, float sum, float power) {
    const float next = fmaxf(total.maximum, maximum);
    const MergeFactors factors{rescale(total.maximum, next, power), rescale(maximum, next, power)};
    total.sum = merge(total.sum, sum, factors);
    total.maximum = next;
    return factors;
}

// The last step of an output. A zero has one sign, whatever the chunks that did not count made of it.
LF_DEVICE float normalize(float output, float inverse) { return fmaf(output, inverse, 0.0f); }

// Of the scaled scores.
LF_DEVICE float log_sum_exp(const Statistics& total, float scale) { return fmaf(total.maximum, scale, logf(total.sum)); }

} // namespace luffy::attention

#endif
