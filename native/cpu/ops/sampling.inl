// Gumbel-max sampling with filters; the contract is src/Luffy.Kernels/Ops/Sampling.cs.

// Ten rounds of Philox4x32 (Salmon et al., SC'11) over W counters (first + lane, c1, c2, c3); words[j] is word j of each.
inline void philox(Integers first, const int32_t* key, uint64_t seed, Integers (&words)[4]) {
    Integers c0 = first, c1 = broadcast(key[0]), c2 = broadcast(key[1]), c3 = broadcast(key[2]);
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    const Integers m0 = broadcast(static_cast<int32_t>(0xD2511F53u)), m1 = broadcast(static_cast<int32_t>(0xCD9E8D57u));
    for (int round = 0; round < 10; round++) {
        Integers high0, low0, high1, low1;
        multiply_wide(m0, c0, high0, low0);
        multiply_wide(m1, c2, high1, low1);
        c0 = exclusive_or(exclusive_or(high1, c1), broadcast(static_cast<int32_t>(k0)));
        c1 = low1;
        c2 = exclusive_or(exclusive_or(high0, c3), broadcast(static_cast<int32_t>(k1)));
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

// −ln(−ln u), u = ((word >> 9) + ½)·2⁻²³
inline Vector gumbel(Integers word) {
    const Vector u = mul(add(to_float(shift_right<9>(word)), broadcast(0.5f)), broadcast(1.0f / 8388608.0f));
    return sub(zero(), log(sub(zero(), log(u))));
}

// The lowest id among the largest of z + noise; ids whose z is −∞ cannot be drawn. Without key there is no noise.
inline int32_t draw(const float* z, int64_t n, const int32_t* key, uint64_t seed) {
    Vector best = broadcast(-infinity);
    Integers best_id = broadcast(int32_t{0});
    alignas(64) float noise[4 * W];
    for (int64_t start = 0; start < n; start += 4 * W) {
        if (key != nullptr) {
            Integers words[4];
            philox(add(broadcast(static_cast<int32_t>(start / 4)), lanes()), key, seed, words);
            for (int j = 0; j < 4; j++) store(noise + j * W, gumbel(words[j]));
        }
        each_vector(n - start < 4 * W ? n - start : 4 * W, [&](int64_t i, auto part) {
            const Integers offset = add(broadcast(static_cast<int32_t>(i)), lanes());
            Vector value = load(z + start + i, part);
            if (key != nullptr) {
                // Token 4c + j takes word j of counter c.
                const Integers word = sub(offset, shift_left<2>(shift_right<2>(offset)));
                value = add(value, gather(noise, add(shift_left < W == 16 ? 4 : 3 > (word), shift_right<2>(offset))));
            }
            const Mask larger = less(best, tail_is(value, part, -infinity));
            best = select(larger, value, best);
            best_id = select(larger, add(broadcast(static_cast<int32_t>(start)), offset), best_id);
        });
    }
    alignas(64) float values[W];
    alignas(64) int32_t ids[W];
    store(values, best);
    store_integers(ids, best_id);
    int lane = 0;
    for (int i = 1; i < W; i++) {
        if (values[i] > values[lane] || (values[i] == values[lane] && ids[i] < ids[lane])) lane = i;
    }
    return values[lane] == -infinity ? 0 : ids[lane];
}

// A float's bits made monotone; −0 counts as 0.
inline uint32_t ascending_key(float value) {
    const float normal = value + 0.0f;
    uint32_t bits;
    memcpy(&bits, &normal, sizeof bits);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

// The filters of one row of scaled logits, each on what the one before left. They select by the bytes of the keys, from the
// highest down, so nothing is sorted.
class TokenFilter {
  public:
    TokenFilter(float* scaled, float* memory, int64_t vocabulary) : z(scaled), weight(memory), n(vocabulary) {}

    void top_k(int64_t k) {
        if (k <= 0 || k >= n) return;
        uint32_t prefix = 0, mask = 0;
        int64_t wanted = k;
        for (int shift = 24; shift >= 0; shift -= 8) {
            int64_t counts[256] = {};
            for (int64_t v = 0; v < n; v++) {
                const uint32_t key = ascending_key(z[v]);
                if ((key & mask) == prefix) counts[(key >> shift) & 255]++;
            }
            int bin = 255;
            while (wanted > counts[bin]) wanted -= counts[bin--];
            prefix |= static_cast<uint32_t>(bin) << shift;
            mask |= 255u << shift;
        }
        for (int64_t v = 0; v < n; v++) {
            if (ascending_key(z[v]) < prefix) z[v] = -infinity;
        }
    }

    void top_p_and_min_p(float top_p, float min_p) {
        if (top_p >= 1 && min_p <= 0) return;
        float maximum = -infinity;
        for (int64_t v = 0; v < n; v++) maximum = z[v] > maximum ? z[v] : maximum;
        each_vector(n, [&](int64_t i, auto part) { store(weight + i, exp(sub(load(z + i, part), broadcast(maximum))), part); });
        if (top_p < 1) keep_mass(top_p);
        // The most probable token's weight is e^0 = 1, so it stays.
        for (int64_t v = 0; min_p > 0 && v < n; v++) {
            if (weight[v] < min_p) z[v] = -infinity;
        }
    }

  private:
    void keep_mass(float top_p) {
        double total = 0;
        for (int64_t v = 0; v < n; v++) total += static_cast<double>(weight[v]);
        const double wanted = static_cast<double>(top_p) * total;
        uint32_t prefix = 0, mask = 0;
        double above = 0; // mass of the tokens with keys above the prefix
        for (int shift = 24; shift >= 0; shift -= 8) {
            double masses[256] = {};
            bool present[256] = {};
            for (int64_t v = 0; v < n; v++) {
                const uint32_t key = ascending_key(z[v]);
                if ((key & mask) != prefix || z[v] == -infinity) continue;
                masses[(key >> shift) & 255] += static_cast<double>(weight[v]);
                present[(key >> shift) & 255] = true;
            }
            int chosen = -1;
            double before = above;
            for (int bin = 255; bin >= 0; bin--) {
                if (!present[bin]) continue;
                chosen = bin;
                above = before;
                if (before + masses[bin] >= wanted) break;
                before += masses[bin];
            }
            prefix |= static_cast<uint32_t>(chosen) << shift;
            mask |= 255u << shift;
        }
        // Of the tokens that share the last key, those with the lowest ids that it takes to reach the mass; at least one.
        bool some = false;
        for (int64_t v = 0; v < n; v++) {
            const uint32_t key = ascending_key(z[v]);
            if (key > prefix) continue;
            if (key == prefix && (!some || above < wanted)) {
                above += static_cast<double>(weight[v]);
                some = true;
            } else {
                z[v] = -infinity;
            }
        }
    }

    float *z, *weight;
    int64_t n;
};

// Scratch of a thread: scaled logits, the weights that filters need, maxima and totals of the vocabulary's blocks.
inline int64_t sampling_scratch(int64_t vocabulary) {
    return (2 * (vocabulary + vocabulary_blocks_of(vocabulary)) * static_cast<int64_t>(sizeof(float)) + 63) / 64 * 64;
}

inline float row_log_sum_exp(const float* z, int64_t n, float* memory) {
    const int64_t blocks = vocabulary_blocks_of(n);
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t start = b * vocabulary_block, count = n - start < vocabulary_block ? n - start : vocabulary_block;
        const BlockSums sums = sum_block<false>(z + start, count, [](int64_t, Vector, auto) {});
        memory[b] = sums.maximum;
        memory[blocks + b] = sums.total;
    }
    return first_lane(sum_blocks(memory, memory + blocks, nullptr, blocks, 1, Part{1}).log_sum_exp());
}

inline void sample(const Runtime& runtime, int32_t* ids, float* log_probs, float* sampled_log_probs, const float* logits,
                   const int32_t* keys, int64_t rows, int64_t vocabulary, const lf_sampling_options& options, char* scratch) {
    const int64_t stride = sampling_scratch(vocabulary);
    const bool greedy = options.temperature == 0;
    const bool keeps_all = options.top_k == 0 && options.top_p >= 1 && options.min_p <= 0;
    parallel(runtime, rows, [&](int64_t row, char* workspace) {
        const int64_t worker = (workspace - runtime.workspaces) / runtime.workspace_bytes;
        float* z = reinterpret_cast<float*>(scratch + worker * stride);
        scale_logits(z, logits + row * vocabulary, vocabulary, greedy ? 1.0f : options.temperature);
        const float log_sum_exp = row_log_sum_exp(z, vocabulary, z + 2 * vocabulary);
        if (greedy) {
            ids[row] = draw(z, vocabulary, nullptr, 0);
            log_probs[row] = z[ids[row]] - log_sum_exp;
            sampled_log_probs[row] = 0;
            return;
        }
        if (!keeps_all) {
            TokenFilter filter(z, z + vocabulary, vocabulary);
            filter.top_k(options.top_k);
            filter.top_p_and_min_p(options.top_p, options.min_p);
        }
        ids[row] = draw(z, vocabulary, keys + 3 * row, options.seed);
        log_probs[row] = z[ids[row]] - log_sum_exp;
        // The same routine over the same values gives the same bits where the filters kept everything.
        sampled_log_probs[row] = keeps_all ? log_probs[row] : z[ids[row]] - row_log_sum_exp(z, vocabulary, z + 2 * vocabulary);
    });
}
