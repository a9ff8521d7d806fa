// Gumbel-max sampling with filters; the contract is src/Luffy.Kernels/Ops/Sampling.cs.
//
// A row goes through in ranges of vocabulary blocks that any thread may take: block sums and, where no filter waits for all of
// them, the draw while the block is in the level-1 cache. With filters a second round reads the blocks that hold kept tokens.

constexpr int64_t range_blocks = 32;

// The lowest id among the largest of z + noise over ascending blocks; ids whose z is −∞ cannot be drawn. Without key there is no
// noise.
class Draw {
  public:
    Draw(const int32_t* key_of_row, uint64_t seed_of_all) : key(key_of_row), seed(seed_of_all) {}

    // z: the block that begins at token `start`, whose largest is `maximum`.
    void add_block(const float* z, int64_t n, int64_t start, float maximum) {
        if (key == nullptr ? maximum <= best_value : maximum + most_noise < best_value) return;
        int32_t threshold = -1;
        float seen = -infinity;
        for (int64_t i = 0; i < n; i += 4 * W) {
            Integers words[4];
            if (key != nullptr) {
                if (best_value > seen) threshold = threshold_of(maximum);
                seen = best_value;
                philox(words, start + i, key, seed);
            }
            for (int j = 0; j < 4 && i + j * W < n; j++) {
                const int64_t at = i + j * W;
                if (key != nullptr) {
                    words[j] = shift_right<9>(words[j]);
                    if (!any(less(broadcast(threshold), words[j]))) continue;
                }
                if (n - at >= W)
                    add_vector(load(z + at), words[j], start + at);
                else
                    add_vector(tail_is(load(z + at, Part{static_cast<int>(n - at)}), Part{static_cast<int>(n - at)}, -infinity),
                               words[j], start + at);
            }
        }
    }

    float value() const { return best_value; }

    int32_t id() const {
        alignas(64) float values[W];
        alignas(64) int32_t all[W];
        store(values, best);
        store_integers(all, ids);
        int lane = 0;
        for (int i = 1; i < W; i++) {
            if (values[i] > values[lane] || (values[i] == values[lane] && all[i] < all[lane])) lane = i;
        }
        return values[lane] == -infinity ? 0 : all[lane];
    }

  private:
    void add_vector(Vector z, Integers bits, int64_t id) {
        const Vector value = key == nullptr ? z : add(z, gumbel(bits));
        const Mask larger = less(best, value);
        if (!any(larger)) return;
        best = select(larger, value, best);
        ids = select(larger, add(broadcast(static_cast<int32_t>(id)), lanes()), ids);
        best_value = max_lanes(best);
    }

    // Words whose upper 23 bits are no larger than this cannot win for logits up to `maximum`: their noise, which grows with the
    // word but for an error far below the margin, is too little.
    int32_t threshold_of(float maximum) const {
        const float needed = best_value - maximum - 0.01f;
        if (!(needed > 0.5f)) return -1;
        const int32_t bits = static_cast<int32_t>(exp1(0.0f - exp1(0.0f - needed)) * 8388608.0f) - 2;
        if (bits < 0) return -1;
        return maximum + (first_lane(gumbel(broadcast(bits))) + 1e-4f) < best_value ? bits : -1;
    }

    const int32_t* key;
    uint64_t seed;
    const float most_noise = first_lane(gumbel(broadcast(int32_t{0x7FFFFF})));
    Vector best = broadcast(-infinity);
    Integers ids = broadcast(int32_t{0});
    float best_value = -infinity;
};

struct SamplingArguments {
    int32_t* ids;
    float *log_probs, *sampled_log_probs;
    const float* logits;
    const int32_t* keys;
    int64_t rows, vocabulary;
    lf_sampling_options options;
    char* scratch;
};

class Sampling {
  public:
    static int64_t scratch_bytes(int64_t rows, int64_t vocabulary, int threads) {
        SamplingArguments shape{};
        shape.rows = rows;
        shape.vocabulary = vocabulary;
        return Sampling(shape, threads).end;
    }

    static void run(const Runtime& runtime, const SamplingArguments& arguments) {
        Sampling sampling(arguments, runtime.threads);
        sampling.run(runtime);
    }

  private:
    Sampling(const SamplingArguments& arguments, int threads)
        : a(arguments), blocks(vocabulary_blocks_of(a.vocabulary)), ranges((blocks + range_blocks - 1) / range_blocks) {
        const auto take = [&](auto*& array, int64_t length) {
            array = reinterpret_cast<decltype(+array)>(a.scratch + end);
            end = (end + length * static_cast<int64_t>(sizeof *array) + 63) / 64 * 64;
        };
        take(sums, a.rows * 4 * blocks);
        take(kept, a.rows);
        take(drawn, a.rows * ranges);
        take(candidates, threads * candidate_stride());
    }

    int64_t candidate_stride() const { return (a.vocabulary + 2 * W - 1) / W * W; }

    void run(const Runtime& runtime) {
        const auto all_ranges = [&](bool filtered) {
            parallel(runtime, a.rows * ranges, [&](int64_t task, char*) { take_range(task / ranges, task % ranges, filtered); });
        };
        const auto all_rows = [&](const auto& body) {
            parallel(runtime, a.rows, [&](int64_t row, char* workspace) {
                body(row, candidates + (workspace - runtime.workspaces) / runtime.workspace_bytes * candidate_stride());
            });
        };
        if (ranges == 1) {
            all_rows([&](int64_t row, float* memory) {
                take_range(row, 0, false);
                if (filters()) {
                    filter(row, memory);
                    take_range(row, 0, true);
                }
                finish(row);
            });
            return;
        }
        all_ranges(false);
        if (filters()) {
            all_rows([&](int64_t row, float* memory) { filter(row, memory); });
            all_ranges(true);
        }
        all_rows([&](int64_t row, float*) { finish(row); });
    }

    bool greedy() const { return a.options.temperature == 0; }
    bool filters() const { return !greedy() && !(a.options.top_k == 0 && a.options.top_p >= 1 && a.options.min_p <= 0); }
    ScaledRow row_of(int64_t row) const {
        return {a.logits + row * a.vocabulary, a.vocabulary, greedy() ? 1.0f : a.options.temperature};
    }
    // Maxima and totals of a row's blocks, of the whole distribution and of what filters keep.
    float* maxima(int64_t row, bool filtered) const { return sums + (row * 4 + (filtered ? 2 : 0)) * blocks; }
    float* totals(int64_t row, bool filtered) const { return maxima(row, filtered) + blocks; }

    // Block sums of a range of a row, and the largest of its noisy logits unless filters are still to come.
    void take_range(int64_t row, int64_t range, bool filtered) {
        const ScaledRow logits = row_of(row);
        const int64_t last = (range + 1) * range_blocks < blocks ? (range + 1) * range_blocks : blocks;
        const bool draws = filtered || !filters();
        Draw draw(greedy() ? nullptr : a.keys + 3 * row, a.options.seed);
        alignas(64) float memory[vocabulary_block];
        for (int64_t b = range * range_blocks; b < last; b++) {
            BlockSums s{-infinity, 0, 0};
            if (!filtered || !(maxima(row, false)[b] < kept[row].least)) {
                const float* z = logits.block(b, memory);
                if (filtered) z = mask(memory, z, logits.count(b), b * vocabulary_block, kept[row]);
                s = sum_block<false>(z, logits.count(b), [](int64_t, Vector, auto) {});
                if (draws) draw.add_block(z, logits.count(b), b * vocabulary_block, s.maximum);
            }
            maxima(row, filtered)[b] = s.maximum;
            totals(row, filtered)[b] = s.total;
        }
        if (draws) drawn[row * ranges + range] = {draw.value(), draw.id()};
    }

    // What filters removed becomes −∞.
    static const float* mask(float* masked, const float* z, int64_t n, int64_t start, const KeptTokens& keep) {
        if (keep.least == -infinity) return z;
        const Vector least = broadcast(keep.least), none = broadcast(-infinity);
        const int64_t ties = keep.last_tie < start ? 0 : keep.last_tie - start < n ? keep.last_tie - start + 1 : n;
        each_vector(n, [&](int64_t i, auto part) {
            const Vector x = load(z + i, part);
            const Mask stays_equal = both(equal(x, least), less(lanes(), broadcast(static_cast<int32_t>(ties - i))));
            store(masked + i, select(stays_equal, x, select(less(least, x), x, none)), part);
        });
        return masked;
    }

    void filter(int64_t row, float* memory) {
        const ScaledRow logits = row_of(row);
        kept[row] = TokenFilter(logits, a.vocabulary, maxima(row, false), totals(row, false), memory).run(a.options);
    }

    void finish(int64_t row) {
        RangeDraw best{-infinity, 0};
        for (int64_t range = 0; range < ranges; range++) {
            const RangeDraw& one = drawn[row * ranges + range];
            if (one.value > best.value) best = one;
        }
        const float z = row_of(row)[best.id];
        a.ids[row] = best.id;
        a.log_probs[row] = z - log_sum_exp(row, false);
        // The same routine over the same values gives the same bits where the filters kept everything.
        a.sampled_log_probs[row] = greedy() ? 0.0f : filters() ? z - log_sum_exp(row, true) : a.log_probs[row];
    }

    float log_sum_exp(int64_t row, bool filtered) const {
        return first_lane(sum_blocks(maxima(row, filtered), totals(row, filtered), nullptr, blocks, 1, Part{1}).log_sum_exp());
    }

    struct RangeDraw {
        float value;
        int32_t id;
    };

    const SamplingArguments& a;
    const int64_t blocks, ranges;
    int64_t end = 0;
    float* sums = nullptr;       // [rows, 4, blocks]
    KeptTokens* kept = nullptr;  // [rows]
    RangeDraw* drawn = nullptr;  // [rows, ranges]
    float* candidates = nullptr; // [threads, candidate_stride]
};

inline int64_t sampling_scratch(const Runtime& runtime, int64_t rows, int64_t vocabulary) {
    return Sampling::scratch_bytes(rows, vocabulary, runtime.threads);
}

inline void sample(const Runtime& runtime, int32_t* ids, float* log_probs, float* sampled_log_probs, const float* logits,
                   const int32_t* keys, int64_t rows, int64_t vocabulary, const lf_sampling_options& options, char* scratch) {
    Sampling::run(runtime, {ids, log_probs, sampled_log_probs, logits, keys, rows, vocabulary, options, scratch});
}
