// Log-sum-exp and entropy of a row of scaled logits: sums of blocks of the vocabulary of one fixed size, each relative to its own
// maximum, and then the sum of the blocks in ascending order. Blocks may be summed by any thread in any order. The policy loss
// and sampling both call these two routines: that is why the log-prob recorded while sampling has the bits that training
// computes.

constexpr int64_t vocabulary_block = 512;

constexpr int64_t vocabulary_blocks_of(int64_t vocabulary) { return (vocabulary + vocabulary_block - 1) / vocabulary_block; }

struct BlockSums {
    float maximum;  // −∞ where nothing in the block can be drawn
    float total;    // Σ e^(z − maximum)
    float weighted; // Σ e^(z − maximum)·(z − maximum), for the entropy
};

// The sums of at most vocabulary_block scaled logits; entries of −∞ add nothing. keep(i, e, part) sees every e^(z − maximum).
template <bool WithEntropy, class Keep> inline BlockSums sum_block(const float* z, int64_t n, const Keep& keep) {
    Vector top = broadcast(-infinity);
    each_vector(n, [&](int64_t i, auto part) { top = max(top, tail_is(load(z + i, part), part, -infinity)); });
    const float maximum = max_lanes(top);
    const Vector m = broadcast(maximum == -infinity ? 0.0f : maximum); // −∞ − −∞ would be NaN
    Vector total = zero(), weighted = zero();
    each_vector(n, [&](int64_t i, auto part) {
        // e^−104 is 0, and 0·−104 too, where 0·−∞ would be NaN.
        const Vector difference = max(broadcast(-104.0f), sub(load(z + i, part), m));
        const Vector e = tail_is(exp(difference), part, 0.0f);
        keep(i, e, part);
        total = add(total, e);
        if (WithEntropy) weighted = fma(e, difference, weighted);
    });
    return {maximum, sum_lanes(total), WithEntropy ? sum_lanes(weighted) : 0.0f};
}

struct RowSums {
    Vector maximum, total, weighted;

    Vector log_sum_exp() const { return add(maximum, log(total)); }
    Vector entropy() const { return sub(log(total), div(weighted, total)); }
};

// Adds up the blocks of neighbouring rows, one row a lane. Entry (block, row) of each array is at [block·stride + row]; weighted
// may be null.
template <class P>
inline RowSums sum_blocks(const float* maxima, const float* totals, const float* weighted, int64_t blocks, int64_t stride,
                          P part) {
    RowSums sums{broadcast(-infinity), zero(), zero()};
    for (int64_t b = 0; b < blocks; b++) sums.maximum = max(sums.maximum, load(maxima + b * stride, part));
    for (int64_t b = 0; b < blocks; b++) {
        const Vector total = load(totals + b * stride, part);
        const Mask empty = equal(total, zero()); // −∞ − −∞ again
        const Vector difference = select(empty, zero(), sub(load(maxima + b * stride, part), sums.maximum));
        const Vector e = exp(difference);
        sums.total = fma(e, total, sums.total);
        if (weighted == nullptr) continue;
        const Vector moved = fma(max(broadcast(-104.0f), difference), total, load(weighted + b * stride, part));
        sums.weighted = fma(e, moved, sums.weighted);
    }
    return sums;
}

// z / temperature. Both callers scale in exactly this way before anything else.
inline void scale_logits(float* scaled, const float* logits, int64_t n, float temperature) {
    if (temperature == 1.0f && scaled == logits) return;
    each_vector(n, [&](int64_t i, auto part) { store(scaled + i, div(load(logits + i, part), broadcast(temperature)), part); });
}
