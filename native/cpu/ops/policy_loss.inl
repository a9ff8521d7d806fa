// LM head, log-softmax, entropy, the mixed-policy objective and their gradients; the contract is
// src/Luffy.Kernels/Ops/PolicyLoss.cs.
//
// Rows go through in blocks, the vocabulary in tiles: the logits of one block and one tile are all that ever exists. A first pass
// over the tiles finds each row's log-sum-exp, entropy and target logit; a second computes the same tile again (unless there is
// only one), turns it into the gradient of the logits, and multiplies that into dHidden (chain over the vocabulary) and dHead
// (chain over rows). Neither the size of a block nor the number of threads shows in a chain.

constexpr int64_t vocabulary_tile =
    2 * vocabulary_block;        // tokens of a tile; whole blocks, so that tiles do not show in log-sum-exp
constexpr int64_t row_task = 64; // rows that one thread takes at a time

template <class T> class PolicyLoss {
    using E = ElementOf<T>;
    using Panel = typename E::Panel;

  public:
    // Even, so that pairs of rows are the same pairs in any block size.
    static int64_t block_rows_of(const int64_t rows, int threads) {
        int64_t block = row_task * 4 * threads;
        if (block > 4096) block = 4096;
        return rows < block ? rows : block;
    }

    static int64_t scratch_bytes(int64_t rows, int64_t h, int64_t v, int threads) {
        return PolicyLoss(nullptr, rows, h, v, threads).end;
    }

    static void run(const Runtime& runtime, const PolicyArguments& a) {
        PolicyLoss loss(a.scratch, a.rows, a.hidden_size, a.vocabulary, runtime.threads);
        for (int64_t first = 0; first < a.rows; first += loss.block) {
            const int64_t rows = a.rows - first < loss.block ? a.rows - first : loss.block;
            loss.forward(runtime, a, first, rows);
            if (a.d_hidden != nullptr) loss.backward(runtime, a, first, rows);
        }
    }

  private:
    PolicyLoss(char* scratch, int64_t rows, int64_t h, int64_t v, int threads)
        : block(block_rows_of(rows, threads)), width(v < vocabulary_tile ? v : vocabulary_tile), one_tile(v <= vocabulary_tile) {
        const auto take = [&](int64_t bytes) {
            const int64_t at = end;
            end = (end + bytes + 63) / 64 * 64;
            return scratch + at;
        };
        const int64_t size = sizeof(float);
        logits = reinterpret_cast<float*>(take(block * width * size));
        gradients = reinterpret_cast<float*>(take(block * size));
        states = reinterpret_cast<LogSumExp*>(take(block * static_cast<int64_t>(sizeof(LogSumExp))));
        target_logits = reinterpret_cast<float*>(take(block * size));
        head_panels =
            reinterpret_cast<Panel*>(take(panels_of(h) * panel_width * units_of<E>(width) * static_cast<int64_t>(sizeof(Panel))));
        if constexpr (E::dtype == LF_BF16) {
            rounded = reinterpret_cast<T*>(take(block * width * static_cast<int64_t>(sizeof(T))));
            d_hidden_sums = reinterpret_cast<float*>(take(block * h * size));
        }
    }

    // Logits of rows first + from … of the block, tokens start … start + count − 1, scaled by the temperature.
    void multiply_logits(const PolicyArguments& a, int64_t first, int64_t from, int64_t to, int64_t start, int64_t count,
                         char* workspace) {
        const int64_t h = a.hidden_size;
        GemmProblem<E> problem{};
        problem.m = to - from;
        problem.n = count;
        problem.k = h;
        problem.a = static_cast<const T*>(a.hidden) + (first + from) * h;
        problem.lda = h;
        problem.b = static_cast<const T*>(a.head) + start * h;
        problem.ldb = h;
        if (a.packed != nullptr) problem.packed = static_cast<const Panel*>(a.packed) + start * units_of<E>(h);
        problem.c = logits + from * width;
        problem.ldc = width;
        GemmRegion<E>(problem, workspace).run(0, problem.m, 0, count);
        for (int64_t r = from; r < to; r++) scale_logits(logits + r * width, logits + r * width, count, a.options.temperature);
    }

    void forward(const Runtime& runtime, const PolicyArguments& a, int64_t first, int64_t rows) {
        parallel(runtime, (rows + row_task - 1) / row_task, [&](int64_t task, char* workspace) {
            const int64_t from = task * row_task, to = from + row_task < rows ? from + row_task : rows;
            for (int64_t r = from; r < to; r++) states[r] = LogSumExp{};
            for (int64_t start = 0; start < a.vocabulary; start += width) {
                const int64_t count = a.vocabulary - start < width ? a.vocabulary - start : width;
                multiply_logits(a, first, from, to, start, count, workspace);
                for (int64_t r = from; r < to; r++) {
                    const float* z = logits + r * width;
                    for (int64_t i = 0; i < count; i += vocabulary_block)
                        states[r].template add_block<true>(z + i, count - i < vocabulary_block ? count - i : vocabulary_block);
                    const int64_t target = a.targets[first + r] - start;
                    if (target >= 0 && target < count) target_logits[r] = z[target];
                }
            }
            for (int64_t r = from; r < to; r++) {
                float* statistic = a.statistics + first + r;
                const float log_sum_exp = states[r].value();
                statistic[0] = target_logits[r] - log_sum_exp;
                statistic[a.rows] = states[r].entropy();
                statistic[2 * a.rows] = log_sum_exp;
                for (int64_t i = 3; i < LF_TOKEN_STATISTICS; i++) statistic[i * a.rows] = 0;
            }
        });
    }

    void backward(const Runtime& runtime, const PolicyArguments& a, int64_t first, int64_t rows) {
        evaluate_policy_tokens(a, gradients, first, first + rows);
        const int64_t h = a.hidden_size;
        if (!any_weight(a, first, first + rows)) {
            memset(static_cast<T*>(a.d_hidden) + first * h, 0, static_cast<size_t>(rows * h) * sizeof(T));
            return;
        }
        float* sums = nullptr;
        if constexpr (E::dtype == LF_F32)
            sums = static_cast<float*>(a.d_hidden) + first * h;
        else
            sums = d_hidden_sums;

        for (int64_t start = 0; start < a.vocabulary; start += width) {
            const int64_t count = a.vocabulary - start < width ? a.vocabulary - start : width;
            const T* head = static_cast<const T*>(a.head) + start * h;
            const int64_t panel_size = units_of<E>(count) * panel_width;
            parallel_ranges(runtime, panels_of(h), 1, [&](int64_t from, int64_t to) {
                for (int64_t j = from; j < to; j++)
                    if (a.head == nullptr)
                        transpose_panel<E>(head_panels + j * panel_size, static_cast<const Panel*>(a.packed), h, j * panel_width,
                                           start, count);
                    else
                        pack_strip<E, panel_width>(head_panels + j * panel_size, head + j * panel_width, h, true,
                                                   h - j * panel_width, count);
            });
            parallel(runtime, (rows + row_task - 1) / row_task, [&](int64_t task, char* workspace) {
                const int64_t from = task * row_task, to = from + row_task < rows ? from + row_task : rows;
                if (!any_weight(a, first + from, first + to)) {
                    memset(d_logits() + from * width, 0, static_cast<size_t>((to - from) * width) * sizeof(T));
                    if (start == 0) memset(sums + from * h, 0, static_cast<size_t>((to - from) * h) * sizeof(float));
                    return;
                }
                if (!one_tile) multiply_logits(a, first, from, to, start, count, workspace);
                for (int64_t r = from; r < to; r++) differentiate_row(a, first, r, start, count);
                GemmProblem<E> problem{};
                problem.m = to - from;
                problem.n = h;
                problem.k = count;
                problem.a = d_logits() + from * width;
                problem.lda = width;
                problem.packed = head_panels;
                problem.c = sums + from * h;
                problem.ldc = h;
                problem.accumulate = start > 0;
                GemmRegion<E>(problem, workspace).run(0, problem.m, 0, h);
            });
            GemmProblem<E> problem{};
            problem.m = count;
            problem.n = h;
            problem.k = rows;
            problem.a = d_logits();
            problem.lda = width;
            problem.a_k_major = true;
            problem.b = static_cast<const T*>(a.hidden) + first * h;
            problem.ldb = h;
            problem.b_k_major = true;
            problem.c = a.d_head + start * h;
            problem.ldc = h;
            problem.accumulate = true;
            gemm(runtime, problem);
        }
        if constexpr (E::dtype == LF_BF16)
            copy_elements<T, float>(runtime, static_cast<T*>(a.d_hidden) + first * h, sums, rows * h);
    }

    // Rows without weight have no gradient; where there are only such, the second pass has nothing to do.
    static bool any_weight(const PolicyArguments& a, int64_t first, int64_t last) {
        for (int64_t r = first; r < last; r++) {
            if (a.weights[r] != 0) return true;
        }
        return false;
    }

    // Scaled logits become the loss's gradient by the raw logits:
    // weight/T · (g·(1[v = target] − p) + c·p·(ln p + H)), the second term being −c times dH/dz = −p·(ln p + H).
    void differentiate_row(const PolicyArguments& a, int64_t first, int64_t r, int64_t start, int64_t count) {
        float* z = logits + r * width;
        T* out = d_logits() + r * width;
        const int64_t row = first + r;
        if (a.weights[row] == 0) {
            each_vector(count, [&](int64_t i, auto part) { store(out + i, zero(), part); });
            return;
        }
        const float scale = a.weights[row] / a.options.temperature, gradient = gradients[r];
        const float entropy = a.statistics[a.rows + row], coefficient = a.options.entropy_coefficient;
        const Vector log_sum_exp = broadcast(a.statistics[2 * a.rows + row]);
        const int64_t target = a.targets[row] - start;
        const bool here = target >= 0 && target < count;
        const float target_logit = here ? z[target] : 0.0f;
        const auto gradient_of = [&](Vector logit, Vector one) {
            const Vector log_p = sub(logit, log_sum_exp), p = exp(log_p);
            Vector value = mul(broadcast(gradient), sub(one, p));
            if (coefficient != 0) {
                const Vector bonus = mul(mul(broadcast(coefficient), p), add(log_p, broadcast(entropy)));
                value = add(value, select(equal(p, zero()), zero(), bonus));
            }
            return mul(broadcast(scale), value);
        };
        each_vector(count, [&](int64_t i, auto part) { store(out + i, gradient_of(load(z + i, part), zero()), part); });
        if (here) store(out + target, gradient_of(broadcast(target_logit), broadcast(1.0f)), Part{1});
    }

    T* d_logits() {
        if constexpr (E::dtype == LF_F32)
            return logits;
        else
            return rounded;
    }

    const int64_t block, width;
    const bool one_tile;
    int64_t end = 0;
    float* logits = nullptr; // [block, width]
    float *gradients = nullptr, *target_logits = nullptr;
    LogSumExp* states = nullptr;
    Panel* head_panels = nullptr;   // a tile of the head as the right-hand side of dz·W
    T* rounded = nullptr;           // [block, width], bf16 storage only
    float* d_hidden_sums = nullptr; // [block, H], bf16 storage only
};

template <class T> int64_t policy_loss_scratch(int64_t rows, int64_t hidden_size, int64_t vocabulary, int threads) {
    return PolicyLoss<T>::scratch_bytes(rows, hidden_size, vocabulary, threads);
}

template <class T> void policy_loss(const Runtime& runtime, const PolicyArguments& arguments) {
    PolicyLoss<T>::run(runtime, arguments);
}
