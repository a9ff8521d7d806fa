// Log-sum-exp and entropy of a row of scaled logits, over blocks of the vocabulary of one fixed size in ascending order. The
// policy loss and sampling both call it: that is why the log-prob recorded while sampling has the bits that training computes.

constexpr int64_t vocabulary_block = 512;

struct LogSumExp {
    float maximum = -infinity;
    float total = 0;    // Σ e^(z − maximum)
    float weighted = 0; // Σ e^(z − maximum)·(z − maximum), for the entropy

    // The next block: at most vocabulary_block scaled logits. Entries of −∞ add nothing.
    template <bool WithEntropy> void add_block(const float* z, int64_t n) {
        Vector top = broadcast(-infinity);
        each_vector(n, [&](int64_t i, auto part) { top = max(top, tail_is(load(z + i, part), part, -infinity)); });
        const float block_maximum = max_lanes(top);
        if (block_maximum == -infinity) return; // all filtered out: −∞ − −∞ would be NaN
        if (block_maximum > maximum) {
            if (maximum > -infinity) {
                const float rescale = exp1(maximum - block_maximum);
                if (WithEntropy) weighted = rescale * __builtin_fmaf(maximum - block_maximum, total, weighted);
                total *= rescale;
            }
            maximum = block_maximum;
        }
        const Vector m = broadcast(maximum);
        Vector sum = zero(), products = zero();
        each_vector(n, [&](int64_t i, auto part) {
            const Vector difference = sub(load(z + i, part), m);
            const Vector e = tail_is(exp(difference), part, 0.0f);
            sum = add(sum, e);
            if (WithEntropy) products = add(products, select(equal(e, zero()), zero(), mul(e, difference)));
        });
        total += sum_lanes(sum);
        if (WithEntropy) weighted += sum_lanes(products);
    }

    float value() const { return maximum + log1(total); }
    float entropy() const { return log1(total) - weighted / total; }
};

// z / temperature. Both callers scale in exactly this way before anything else.
inline void scale_logits(float* scaled, const float* logits, int64_t n, float temperature) {
    if (temperature == 1.0f && scaled == logits) return;
    each_vector(n, [&](int64_t i, auto part) { store(scaled + i, div(load(logits + i, part), broadcast(temperature)), part); });
}
