// Top-k, top-p and min-p of a row of scaled logits, each on what the one before left. Every filter is a bound on the logit; where
// tokens share the last one, an id says how many stay. Blocks of the vocabulary whose maximum lies below a bound are never read.

struct KeptTokens {
    float least = -infinity;      // tokens above it stay,
    int64_t last_tie = INT64_MAX; // and those equal to it up to this id
};

// Logits of one vocabulary block of a row, divided by the temperature.
class ScaledRow {
  public:
    ScaledRow(const float* row, int64_t vocabulary, float temperature_of_row)
        : logits(row), n(vocabulary), temperature(temperature_of_row) {}

    int64_t count(int64_t block) const {
        const int64_t left = n - block * vocabulary_block;
        return left < vocabulary_block ? left : vocabulary_block;
    }
    // In place where there is nothing to divide.
    const float* block(int64_t block, float* memory) const {
        const float* from = logits + block * vocabulary_block;
        if (temperature == 1.0f) return from;
        scale_logits(memory, from, count(block), temperature);
        return memory;
    }
    float operator[](int64_t id) const {
        float scaled;
        scale_logits(&scaled, logits + id, 1, temperature);
        return scaled;
    }

  private:
    const float* logits;
    int64_t n;
    float temperature;
};

// A float's bits made monotone, and back; −0 counts as 0.
inline int32_t ordered(float value) {
    const float normal = value + 0.0f;
    int32_t bits;
    memcpy(&bits, &normal, sizeof bits);
    return bits < 0 ? bits ^ 0x7FFFFFFF : bits;
}
inline float from_ordered(int32_t key) {
    const int32_t bits = key < 0 ? key ^ 0x7FFFFFFF : key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// Values without NaN, in memory that has room for one vector more.
class Candidates {
  public:
    explicit Candidates(float* memory) : values(memory) {}

    // The values of z that are at least `bound`.
    void add_block(const float* z, int64_t n, float bound) {
        each_vector(n, [&](int64_t i, auto part) {
            const Vector x = load(z + i, part);
            // NaN is no less than anything, and equal to nothing.
            const Mask keep = less_equal(broadcast(bound), tail_is(x, part, __builtin_nanf("")));
            count += compress(values + count, keep, x);
        });
    }

    // Drops those outside of (above, most].
    void narrow(float above, float most) {
        const int64_t n = count;
        count = 0;
        each_vector(n, [&](int64_t i, auto part) {
            const Vector x = load(values + i, part);
            const Vector inside = tail_is(x, part, __builtin_nanf(""));
            const Mask keep = both(less(broadcast(above), inside), less_equal(inside, broadcast(most)));
            count += compress(values + count, keep, x);
        });
    }

    // Σ measure(x) over the values above a bound.
    template <class Measure> double sum_above(float bound, const Measure& measure) const {
        double sum = 0;
        for (int64_t start = 0; start < count; start += vocabulary_block) {
            const int64_t n = count - start < vocabulary_block ? count - start : vocabulary_block;
            Vector part_sum = zero();
            each_vector(n, [&](int64_t i, auto part) {
                const Vector x = load(values + start + i, part);
                const Mask in = less(broadcast(bound), tail_is(x, part, -infinity));
                part_sum = add(part_sum, select(in, measure(x), zero()));
            });
            sum += static_cast<double>(sum_lanes(part_sum));
        }
        return sum;
    }

    float largest() const {
        Vector top = broadcast(-infinity);
        each_vector(count, [&](int64_t i, auto part) { top = max(top, tail_is(load(values + i, part), part, -infinity)); });
        return max_lanes(top);
    }
    float least() const {
        Vector top = broadcast(-infinity);
        each_vector(count,
                    [&](int64_t i, auto part) { top = max(top, tail_is(sub(zero(), load(values + i, part)), part, -infinity)); });
        return 0.0f - max_lanes(top);
    }

    // The largest value such that Σ measure over it and all above reaches `wanted`, or the least value of all; `above` becomes
    // the sum over those above it. Of the values only those equal to it are left. There must be one.
    template <class Measure> float select_by(double wanted, double& above, const Measure& measure) {
        above = 0;
        for (int step = 0;; step++) {
            const float low = least(), high = largest();
            if (!(low < high)) return low;
            // Halves the interval, and every other time the number of floats in it, lest far outliers take for ever.
            float middle = step % 2 == 0 ? 0.5f * low + 0.5f * high : low;
            if (!(middle >= low && middle < high) || step % 2 == 1)
                middle = from_ordered(static_cast<int32_t>((int64_t{ordered(low)} + ordered(high)) >> 1));
            if (!(middle >= low && middle < high)) middle = low;
            const double sum = sum_above(middle, measure);
            if (above + sum >= wanted) {
                narrow(middle, infinity);
            } else {
                above += sum;
                narrow(-infinity, middle);
                if (count == 0) return low; // −∞ itself
            }
        }
    }

    float* values;
    int64_t count = 0;
};

class TokenFilter {
  public:
    // maxima and totals are the row's block sums, memory has room for the vocabulary and one vector.
    TokenFilter(const ScaledRow& scaled, int64_t vocabulary, const float* block_maxima, const float* block_totals, float* room)
        : row(scaled), n(vocabulary), blocks(vocabulary_blocks_of(vocabulary)), maxima(block_maxima), totals(block_totals),
          memory(room) {}

    KeptTokens run(const lf_sampling_options& options) {
        for (int64_t b = 0; b < blocks; b++) top = maxima[b] > top ? maxima[b] : top;
        // Broken logits have no order to filter by.
        if (!(top > -infinity && top < infinity)) return kept;
        if (options.top_k > 0 && options.top_k < n) keep_count(options.top_k);
        if (options.top_p < 1) keep_mass(static_cast<double>(options.top_p));
        if (options.min_p > 0) keep_likely(options.min_p);
        return kept;
    }

  private:
    Candidates at_least(float bound) const {
        Candidates found(memory);
        alignas(64) float z[vocabulary_block];
        for (int64_t b = 0; b < blocks; b++) {
            if (!(maxima[b] < bound)) found.add_block(row.block(b, z), row.count(b), bound);
        }
        return found;
    }

    // Ties with the k-th stay.
    void keep_count(int64_t k) {
        const auto one = [](Vector) { return broadcast(1.0f); };
        double above = 0;
        float bound = -infinity;
        if (k <= blocks) {
            // k blocks have a token at least as large as the k-th largest of the blocks' maxima.
            Candidates largest(memory);
            largest.add_block(maxima, blocks, -infinity);
            if (largest.count >= k) bound = largest.select_by(static_cast<double>(k), above, one);
        }
        Candidates found = at_least(bound);
        if (found.count >= k) kept.least = found.select_by(static_cast<double>(k), above, one);
    }

    void keep_mass(double share) {
        const auto weight = [this](Vector z) { return exp(sub(z, broadcast(top))); };
        double total = 0;
        float bound = kept.least;
        if (bound == -infinity) {
            for (int64_t b = 0; b < blocks; b++) total += static_cast<double>(totals[b] * exp1(maxima[b] - top));
            // Tokens below the bound weigh half of what may be left out, all together. Where that is next to nothing, rounding
            // could tell otherwise.
            if (share < 0.9999)
                bound = top + log1(static_cast<float>(0.5 * (1 - share) * total / static_cast<double>(n))) - 0.001f;
        }
        Candidates found = at_least(bound);
        if (found.count == 0) return;
        if (kept.least > -infinity) total = found.sum_above(-infinity, weight);
        const double wanted = share * total;
        double above = 0;
        const float last = found.select_by(wanted, above, weight);
        const double each = static_cast<double>(exp1(last - top));
        // Of the tokens that share the last logit those with the lowest ids that it takes to reach the mass; at least one.
        int64_t ties = 1;
        for (above += each; ties < found.count && above < wanted; ties++) above += each;
        kept.least = last;
        if (ties < found.count) kept.last_tie = tie(last, ties);
    }

    // The id of the token that is the count-th with this logit.
    int64_t tie(float logit, int64_t count) const {
        alignas(64) float memory_of_block[vocabulary_block];
        for (int64_t b = 0; b < blocks; b++) {
            if (maxima[b] < logit) continue;
            const float* z = row.block(b, memory_of_block);
            for (int64_t i = 0; i < row.count(b); i++) {
                if (z[i] == logit && --count == 0) return b * vocabulary_block + i;
            }
        }
        return INT64_MAX;
    }

    // Tokens whose weight beside the most probable one's is at least min_p.
    void keep_likely(float min_p) {
        const float bound = top + log1(min_p) - 0.001f;
        Candidates found = at_least(bound > kept.least ? bound : kept.least);
        Vector least = broadcast(infinity);
        each_vector(found.count, [&](int64_t i, auto part) {
            const Vector z = tail_is(load(found.values + i, part), part, -infinity);
            const Mask stays = less_equal(broadcast(min_p), exp(sub(z, broadcast(top))));
            least = min(least, select(stays, z, broadcast(infinity)));
        });
        const float first = 0.0f - max_lanes(sub(zero(), least));
        if (first > kept.least) kept = {first, INT64_MAX};
    }

    const ScaledRow& row;
    int64_t n, blocks;
    const float *maxima, *totals;
    float* memory;
    float top = -infinity;
    KeptTokens kept;
};
