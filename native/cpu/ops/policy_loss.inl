// LM head, log-softmax, entropy, the mixed-policy objective and their gradients; the contract is
// src/Luffy.Kernels/Ops/PolicyLoss.cs.
//
// Three products, as if the logits were kept, with a store of a fixed size: rows go through in chunks whose softmax fits it.
//  1. Logits, in tasks of some rows and one vocabulary block that live in the level-2 cache; each leaves the block's sums of the
//     log-sum-exp and, in bf16, e^(z − block maximum) in the store. In f32 the store holds the logits themselves.
//  2. The blocks' sums give log-prob and entropy, these the objective, and that what turns the store into the logits' gradient
//  dz.
//  3. Over the vocabulary: dz in place of the store, dHead += dzᵀ·hidden (chain over rows), dHidden = dz·head (chain over the
//     vocabulary). Neither chunks nor threads show in a chain.

constexpr int64_t logit_rows = 128;                     // rows of a task of step 1
constexpr int64_t logit_stride = vocabulary_block + 16; // no multiple of a page, lest rows share cache sets
constexpr int64_t row_step = 16;                        // chunks are multiples of it; even, so that pairs of rows stay pairs
constexpr int64_t policy_loss_workspace_bytes =
    gemm_workspace_bytes + logit_rows * logit_stride * static_cast<int64_t>(sizeof(float));

// ln x for x in (0, 1], to 2e-4: as good as the rounding of a stored e^… to bf16.
inline Vector rough_log(Vector x) {
    const Integers exponent = shift_right_signed<23>(sub(bits_of(x), broadcast(int32_t{0x3F2AAAAB})));
    const Vector f = sub(as_floats(sub(bits_of(x), shift_left<23>(exponent))), broadcast(1.0f));
    Vector p = fma(broadcast(-0.26998057f), f, broadcast(0.35722273f));
    p = fma(p, f, broadcast(-0.49971955f));
    p = fma(p, f, broadcast(0.99966485f));
    return fma(to_float(exponent), broadcast(0.69314718f), mul(p, f));
}

template <class T> class PolicyLoss {
    using E = ElementOf<T>;
    using Panel = typename E::Panel;
    static constexpr bool keeps_logits = E::dtype == LF_F32;
    static constexpr int64_t store_bytes = int64_t{104} << 20;      // of the largest vocabularies
    static constexpr int64_t cached_store_bytes = int64_t{8} << 20; // what stays in the last cache, if that makes good products
    static constexpr int64_t least_rows = 512, most_rows = 512;     // rows of a good product

  public:
    // Grows with the number of rows, so that memory for the most of them serves all.
    static int64_t chunk_rows_of(int64_t rows, int64_t v) {
        const int64_t row_bytes = stride_of(v) * static_cast<int64_t>(sizeof(T));
        int64_t chunk = cached_store_bytes / row_bytes;
        chunk = chunk < least_rows ? least_rows : chunk > most_rows ? most_rows : chunk;
        if (chunk > store_bytes / row_bytes) chunk = store_bytes / row_bytes;
        chunk = chunk < row_step ? row_step : chunk / row_step * row_step;
        const int64_t needed = (rows + row_step - 1) / row_step * row_step;
        return chunk < needed ? chunk : needed;
    }

    static int64_t scratch_bytes(int64_t rows, int64_t h, int64_t v) {
        PolicyArguments shape{};
        shape.rows = rows;
        shape.hidden_size = h;
        shape.vocabulary = v;
        return PolicyLoss(shape).end;
    }

    static void run(const Runtime& runtime, const PolicyArguments& arguments) {
        PolicyLoss loss(arguments);
        const int64_t all = arguments.rows;
        if (all == 0) return;
        // Chunks of nearly equal size.
        const int64_t chunks = (all + loss.chunk - 1) / loss.chunk;
        const int64_t target = ((all + chunks - 1) / chunks + row_step - 1) / row_step * row_step;
        for (int64_t first = 0, last; first < all; first = last) {
            // Rows without weight have no gradient: runs of them stay out of the chunks that do the rest.
            last = first;
            const bool learns = loss.any_weight(first, first + row_step);
            do last += row_step;
            while (last < all && last - first < target && loss.any_weight(last, last + row_step) == learns);
            if (last > all) last = all;
            loss.first = first;
            loss.rows = last - first;
            loss.forward(runtime, learns);
            loss.evaluate(runtime, learns);
            if (learns)
                loss.backward(runtime);
            else if (arguments.d_hidden != nullptr)
                zero_bytes(runtime, loss.d_hidden(), loss.rows * loss.h * static_cast<int64_t>(sizeof(T)));
        }
    }

  private:
    // An odd number of cache lines: columns of the store are read too.
    static int64_t stride_of(int64_t v) {
        return ((v * static_cast<int64_t>(sizeof(T)) + 63) / 64 | 1) * 64 / static_cast<int64_t>(sizeof(T));
    }

    explicit PolicyLoss(const PolicyArguments& arguments)
        : a(arguments), h(arguments.hidden_size), v(arguments.vocabulary), blocks(vocabulary_blocks_of(v)), stride(stride_of(v)),
          chunk(chunk_rows_of(arguments.rows, v)) {
        const auto take = [&](auto*& array, int64_t length) {
            array = reinterpret_cast<decltype(+array)>(a.scratch + end);
            end = (end + length * static_cast<int64_t>(sizeof *array) + 63) / 64 * 64;
        };
        take(softmax, chunk * stride);
        take(maxima, blocks * chunk);
        take(totals, blocks * chunk);
        take(weighted, blocks * chunk);
        take(target_logits, chunk);
        take(target_gradients, chunk);
        take(gradients, chunk);
        take(hidden_panels, panels_of(h) * panel_width * units_of<E>(chunk));
        if (!keeps_logits) take(d_hidden_sums, chunk * h);
    }

    bool any_weight(int64_t from, int64_t to) const {
        if (a.d_hidden == nullptr) return false;
        for (int64_t r = from; r < to && r < a.rows; r++) {
            if (a.weights[r] != 0) return true;
        }
        return false;
    }

    // Rows start (a multiple of panel_width) … of the head; one of the two may be null.
    const T* head(int64_t start) const { return a.head == nullptr ? nullptr : static_cast<const T*>(a.head) + start * h; }
    const Panel* packed_head(int64_t start) const {
        return a.packed == nullptr ? nullptr : static_cast<const Panel*>(a.packed) + start * units_of<E>(h);
    }
    const T* hidden() const { return static_cast<const T*>(a.hidden) + first * h; }
    T* d_hidden() const { return static_cast<T*>(a.d_hidden) + first * h; }

    void forward(const Runtime& runtime, bool learns) {
        const int64_t row_tasks = (rows + logit_rows - 1) / logit_rows;
        parallel(runtime, row_tasks * blocks, [&](int64_t task, char* workspace) {
            const int64_t block = task / row_tasks, share = task % row_tasks;
            const int64_t from = rows * share / row_tasks, to = rows * (share + 1) / row_tasks;
            const int64_t start = block * vocabulary_block;
            const int64_t count = v - start < vocabulary_block ? v - start : vocabulary_block;
            GemmProblem<E> problem{};
            problem.m = to - from;
            problem.n = count;
            problem.k = h;
            problem.a = hidden() + from * h;
            problem.lda = h;
            problem.b = head(start);
            problem.ldb = h;
            problem.packed = packed_head(start);
            problem.c = reinterpret_cast<float*>(workspace + gemm_workspace_bytes);
            problem.ldc = logit_stride;
            if constexpr (keeps_logits) {
                if (learns) {
                    problem.c = softmax + from * stride + start;
                    problem.ldc = stride;
                }
            }
            GemmRegion<E>(problem, workspace).run(0, problem.m, 0, count);
            for (int64_t r = from; r < to; r++) {
                float* z = problem.c + (r - from) * problem.ldc;
                scale_logits(z, z, count, a.options.temperature);
                const int64_t target = a.targets[first + r] - start;
                if (target >= 0 && target < count) target_logits[r] = z[target];
                const BlockSums sums = sum(z, count, !keeps_logits && learns ? softmax + r * stride + start : nullptr);
                maxima[block * chunk + r] = sums.maximum;
                totals[block * chunk + r] = sums.total;
                weighted[block * chunk + r] = sums.weighted;
            }
        });
    }

    static BlockSums sum(const float* z, int64_t count, T* kept) {
        if (kept == nullptr) return sum_block<true>(z, count, [](int64_t, Vector, auto) {});
        return sum_block<true>(z, count, [&](int64_t i, Vector e, auto part) { store(kept + i, e, part); });
    }

    // Statistics, and what the store is multiplied with. The loss's gradient by the raw logits is
    // weight/T · (g·(1[v = target] − p) + c·p·(ln p + H)), the second term being −c times dH/dz = −p·(ln p + H).
    void evaluate(const Runtime& runtime, bool learns) {
        parallel_ranges(runtime, (rows + W - 1) / W, 1, [&](int64_t from, int64_t to) {
            const int64_t end_row = to * W < rows ? to * W : rows;
            const float* row_weights = a.weights + first;
            float* statistics = a.statistics + first;
            const auto each = [&](const auto& body) {
                each_vector(end_row - from * W, [&](int64_t i, auto part) { body(from * W + i, part); });
            };
            each([&](int64_t r, auto part) {
                const RowSums sums = sum_blocks(maxima + r, totals + r, weighted + r, blocks, chunk, part);
                store(statistics + r, sub(load(target_logits + r, part), sums.log_sum_exp()), part);
                store(statistics + a.rows + r, sums.entropy(), part);
                store(statistics + 2 * a.rows + r, sums.log_sum_exp(), part);
                for (int64_t i = 3; i < LF_TOKEN_STATISTICS; i++) store(statistics + i * a.rows + r, zero(), part);
            });
            if (a.d_hidden == nullptr) return;
            evaluate_policy_tokens(a, gradients + from * W, first + from * W, first + end_row);
            if (!learns) return;
            const Vector c = broadcast(a.options.entropy_coefficient);
            each([&](int64_t r, auto part) {
                const Vector scale = div(load(row_weights + r, part), broadcast(a.options.temperature));
                const Vector log_p = load(statistics + r, part), entropy = load(statistics + a.rows + r, part);
                const Vector gradient = load(gradients + r, part), p = exp(log_p);
                const Vector bonus = select(equal(p, zero()), zero(), mul(mul(c, p), add(log_p, entropy)));
                const Vector target = fma(gradient, sub(broadcast(1.0f), p), bonus);
                store(target_gradients + r, mul(scale, target), part);
                const Vector log_sum_exp = load(statistics + 2 * a.rows + r, part);
                for (int64_t b = 0; b < (keeps_logits ? 1 : blocks); b++) {
                    // p = e^(z − reference)·share
                    const Vector reference = keeps_logits ? log_sum_exp : load(maxima + b * chunk + r, part);
                    const Vector shift = max(broadcast(-104.0f), sub(reference, log_sum_exp));
                    const Vector share = mul(scale, exp(shift));
                    store(maxima + b * chunk + r, mul(share, sub(mul(c, add(shift, entropy)), gradient)), part);
                    store(totals + b * chunk + r, mul(share, c), part);
                }
            });
        });
    }

    void backward(const Runtime& runtime) {
        const int64_t units = units_of<E>(rows);
        parallel_ranges(runtime, a.d_head == nullptr ? 0 : panels_of(h), 1, [&](int64_t from, int64_t to) {
            for (int64_t j = from; j < to; j++)
                pack_strip<E, panel_width>(hidden_panels + j * units * panel_width, hidden() + j * panel_width, h, true,
                                           h - j * panel_width, rows);
        });
        // Spans of the vocabulary whose dz is still in the last cache when dHidden takes it.
        int64_t span = cached_store_bytes / (rows * static_cast<int64_t>(sizeof(T))) / vocabulary_block * vocabulary_block;
        if (span < vocabulary_block) span = vocabulary_block;
        // Tasks enough for the threads, each worth its start.
        const int64_t width = v >= 16 * vocabulary_block ? vocabulary_block : 128;
        for (int64_t start = 0; start < v; start += span) {
            const int64_t count = v - start < span ? v - start : span;
            parallel(runtime, (count + width - 1) / width, [&](int64_t task, char* workspace) {
                const int64_t from = task * width;
                multiply_head_gradient(start + from, count - from < width ? count - from : width, workspace);
            });
            GemmProblem<E> problem{};
            problem.m = rows;
            problem.n = h;
            problem.k = count;
            problem.a = softmax + start;
            problem.lda = stride;
            problem.b = head(start);
            problem.ldb = h;
            problem.b_k_major = true;
            if (a.head == nullptr) problem.packed_transpose = packed_head(start);
            problem.ldc = h;
            problem.accumulate = start > 0;
            if constexpr (keeps_logits) {
                problem.c = d_hidden();
            } else if (span >= v) {
                problem.c_rounded = d_hidden();
            } else {
                problem.c = d_hidden_sums;
            }
            gemm(runtime, problem);
        }
        if constexpr (!keeps_logits) {
            if (span < v) copy_elements<T, float>(runtime, d_hidden(), d_hidden_sums, rows * h);
        }
    }

    // dHead of tokens start … start + count − 1 (of one vocabulary block), once their softmax has become dz.
    void multiply_head_gradient(int64_t start, int64_t count, char* workspace) {
        const int64_t block = keeps_logits ? 0 : start / vocabulary_block * chunk;
        for (int64_t r = 0; r < rows; r++) {
            T* row = softmax + r * stride + start;
            // The processor does not foresee short pieces of rows.
            for (int64_t i = 0; i < count && r + 4 < rows; i += 64 / static_cast<int64_t>(sizeof(T)))
                __builtin_prefetch(row + 4 * stride + i, 1);
            // Selected, not multiplied: a token that is out must not turn an infinity into a NaN.
            if (a.weights[first + r] == 0) {
                each_vector(count, [&](int64_t i, auto part) { store(row + i, zero(), part); });
                continue;
            }
            differentiate(row, count, maxima[block + r], totals[block + r], a.statistics[2 * a.rows + first + r]);
            const int64_t target = a.targets[first + r] - start;
            if (target >= 0 && target < count) store(row + target, broadcast(target_gradients[r]), Part{1});
        }
        if (a.d_head == nullptr) return;
        GemmProblem<E> problem{};
        problem.m = count;
        problem.n = h;
        problem.k = rows;
        problem.a = softmax + start;
        problem.lda = stride;
        problem.a_k_major = true;
        problem.packed = hidden_panels;
        problem.c = a.d_head + start * h;
        problem.ldc = h;
        problem.accumulate = true;
        GemmRegion<E>(problem, workspace).run(0, count, 0, h);
    }

    // e^x → e^x·(offset + slope·x), where x is what the row's or the block's softmax was taken of.
    void differentiate(T* row, int64_t count, float offset, float slope, float log_sum_exp) const {
        const Vector o = broadcast(offset), s = broadcast(slope);
        const auto each = [&](const auto& value) {
            each_vector(count, [&](int64_t i, auto part) { store(row + i, value(load(row + i, part)), part); });
        };
        if constexpr (keeps_logits) {
            const Vector l = broadcast(log_sum_exp);
            const auto log_p = [&](Vector z) { return max(broadcast(-104.0f), sub(z, l)); };
            if (a.options.entropy_coefficient == 0)
                each([&](Vector z) { return mul(exp(log_p(z)), o); });
            else
                each([&](Vector z) { return mul(exp(log_p(z)), fma(s, log_p(z), o)); });
        } else {
            if (a.options.entropy_coefficient == 0)
                each([&](Vector e) { return mul(e, o); });
            else
                each([&](Vector e) { return mul(e, fma(s, rough_log(e), o)); });
        }
    }

    const PolicyArguments& a;
    const int64_t h, v, blocks, stride;
    const int64_t chunk;         // most rows of a chunk, and the stride of the blocks' arrays
    int64_t first = 0, rows = 0; // of the present chunk
    int64_t end = 0;
    T* softmax = nullptr; // [chunk, stride]: e^(z − block maximum), in f32 z; then dz
    // [blocks, chunk]: the blocks' sums; then the first two are differentiate's offset and slope, in f32 of the row as a whole.
    float *maxima = nullptr, *totals = nullptr, *weighted = nullptr;
    float *target_logits = nullptr, *target_gradients = nullptr, *gradients = nullptr; // [chunk]
    Panel* hidden_panels = nullptr; // the rows as the right-hand side of dzᵀ·hidden
    float* d_hidden_sums = nullptr; // [chunk, H], bf16 storage only
};

template <class T> int64_t policy_loss_scratch(int64_t rows, int64_t hidden_size, int64_t vocabulary) {
    return PolicyLoss<T>::scratch_bytes(rows, hidden_size, vocabulary);
}

template <class T> void policy_loss(const Runtime& runtime, const PolicyArguments& arguments) {
    PolicyLoss<T>::run(runtime, arguments);
}
