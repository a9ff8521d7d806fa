// Gradients of attention. The probabilities are recomputed from the kept log-sum-exp (Dao et al., arXiv 2205.14135), transposed:
// with a row a key, p and ds are at once the left operand of dV += p·dy and dK += ds·q. Every sum runs in one fixed order: dK and
// dV over heads and then blocks of queries, dQ over blocks of keys, whichever way the work is cut into tasks.

template <class T> class AttentionBackward {
    using E = ElementOf<T>;
    static constexpr int step = E::step, block_units = key_block / step, page_units = panel_keys / step;

  public:
    AttentionBackward(const AttentionArguments& arguments, const AttentionGradients& gradients, char* workspace, char* scratch,
                      int64_t sequence, int64_t kv_head)
        : a(arguments), d(a.shape.head_dim), units(units_of<E>(d)), unit_stride(padded(units)), width(padded(d)),
          packed(packed_heads(a.shape) * d), y_stride(int64_t{a.shape.heads} * d), group(a.shape.heads / a.shape.kv_heads),
          h0(kv_head * group), begin(a.query_starts[sequence]), length(a.query_starts[sequence + 1] - begin),
          queries(static_cast<const T*>(a.qkv) + begin * packed + h0 * d),
          keys(static_cast<const T*>(a.qkv) + begin * packed + (a.shape.heads + kv_head) * d),
          dy(static_cast<const T*>(gradients.dy) + begin * y_stride + h0 * d),
          y(static_cast<const T*>(gradients.y) + begin * y_stride + h0 * d),
          log_sum_exp(gradients.log_sum_exp + begin * a.shape.heads + h0),
          d_queries_out(static_cast<T*>(gradients.d_qkv) + begin * packed + h0 * d),
          d_keys_out(static_cast<T*>(gradients.d_qkv) + begin * packed + (a.shape.heads + kv_head) * d) {
        float* next = reinterpret_cast<float*>(workspace);
        const auto take = [&](int64_t elements) {
            float* taken = next;
            next += elements;
            return taken;
        };
        query_panels = take(key_block * unit_stride);
        output_panels = take(key_block * unit_stride);
        query_lines = take(block_units * width);
        output_lines = take(block_units * width);
        d_queries = take(key_block * width);
        scores = take(tile_row_count * key_block);
        d_weights = take(tile_row_count * key_block);
        weights = take(tile_row_count * block_units);
        d_scores = take(tile_row_count * block_units);
        d_score_units = take(block_units * key_block);
        normalisers = take(key_block);
        row_terms = take(key_block);

        const int64_t rows = whole_blocks(length);
        next = reinterpret_cast<float*>(scratch);
        key_rows = take(rows * unit_stride);
        value_rows = take(rows * unit_stride);
        key_lines = step == 1 ? key_rows : take(rows / step * width);
        d_keys = take(rows * width);
        d_values = take(rows * width);
    }

    static constexpr int64_t workspace_bytes =
        static_cast<int64_t>(sizeof(float)) *
        (5 * key_block * max_head_dim + 4 * tile_row_count * key_block + key_block * key_block + 2 * key_block);
    // Keys and values of a sequence as tiles, and the sums of their gradients.
    static int64_t scratch_bytes(int64_t max_length, const lf_attention_shape& shape) {
        const int64_t stride = padded(units_of<E>(shape.head_dim)), lines = padded(shape.head_dim);
        return whole_blocks(max_length) * (2 * stride + 2 * lines + (step == 1 ? 0 : lines / step)) *
               static_cast<int64_t>(sizeof(float));
    }

    // All gradients of the key-value head and its queries.
    void run() {
        load_keys(0, length);
        for (int64_t h = 0; h < group; h++) {
            for (int64_t first = 0; first < length; first += key_block) {
                load_queries(h, first);
                for (int64_t start = 0; start <= first; start += key_block) add_block<true, true>(start, first);
                store_rows(d_queries_out + first * packed + h * d, d_queries, count_from(first), a.shape.scale);
            }
        }
        store_keys();
    }

    // Those of one block of keys and values.
    void run_keys(int64_t start) {
        load_keys(start, count_from(start));
        for (int64_t h = 0; h < group; h++) {
            for (int64_t first = start; first < length; first += key_block) {
                load_queries(h, first);
                add_block<true, false>(start, first);
            }
        }
        store_keys();
    }

    // Those of one block of queries.
    void run_queries(int64_t first) {
        for (int64_t h = 0; h < group; h++) {
            load_queries(h, first);
            for (int64_t start = 0; start <= first; start += key_block) {
                load_keys(start, count_from(start));
                add_block<false, true>(start, first);
            }
            store_rows(d_queries_out + first * packed + h * d, d_queries, count_from(first), a.shape.scale);
        }
    }

  private:
    static int64_t whole_blocks(int64_t rows) { return (rows + key_block - 1) / key_block * key_block; }
    int64_t count_from(int64_t first) const { return length - first < key_block ? length - first : key_block; }

    void load_keys(int64_t start, int64_t count) {
        const T* values = keys + int64_t{a.shape.kv_heads} * d;
        first_key = start;
        key_count = count;
        for (int64_t i = 0; i < count; i++) {
            pack_row<E>(key_rows + i * unit_stride, keys + (start + i) * packed, d);
            pack_row<E>(value_rows + i * unit_stride, values + (start + i) * packed, d);
        }
        if (count % step != 0) { // the last pair's other half
            for (int64_t i = 0; i < unit_stride; i += W) {
                store(key_rows + count * unit_stride + i, zero());
                store(value_rows + count * unit_stride + i, zero());
            }
        }
        if (step > 1) pack_lines<E>(key_lines, keys + start * packed, packed, count, d);
        for (int64_t i = 0; i < count * width; i += W) {
            store(d_keys + i, zero());
            store(d_values + i, zero());
        }
    }

    void store_keys() {
        T* to = d_keys_out + first_key * packed;
        store_rows(to, d_keys, key_count, a.shape.scale);
        store_rows(to + int64_t{a.shape.kv_heads} * d, d_values, key_count, 1);
    }

    // Queries first … of head h (of the group), and the gradients of their outputs.
    void load_queries(int64_t h, int64_t first) {
        const int64_t count = count_from(first);
        const T *q = queries + first * packed + h * d, *upstream = dy + first * y_stride + h * d;
        const T* output = y + first * y_stride + h * d;
        for (int64_t i = 0; i < key_block; i += panel_keys) {
            const int64_t left = count - i < 0 ? 0 : count - i;
            pack_panel<E>(query_panels + i * units, q + i * packed, packed, left, d);
            pack_panel<E>(output_panels + i * units, upstream + i * y_stride, y_stride, left, d);
        }
        pack_lines<E>(query_lines, q, packed, count, d);
        pack_lines<E>(output_lines, upstream, y_stride, count, d);
        for (int64_t i = 0; i < key_block; i++) {
            Vector sum = zero();
            if (i < count) {
                each_vector(d, [&](int64_t j, auto part) {
                    sum = fma(load(upstream + i * y_stride + j, part), load(output + i * y_stride + j, part), sum);
                });
            }
            row_terms[i] = sum_lanes(sum);
            // e^−∞: a query that is not there has no weights.
            normalisers[i] = i < count ? log_sum_exp[(first + i) * a.shape.heads + h] : infinity;
        }
        for (int64_t i = 0; i < count * width; i += W) store(d_queries + i, zero());
    }

    // What keys start … give to the gradients of queries first …, and what they get.
    template <bool Keys, bool Queries> void add_block(int64_t start, int64_t first) {
        const int64_t present = count_from(start), count = count_from(first);
        const bool diagonal = start == first;
        const int end = static_cast<int>((count + panel_keys - 1) / panel_keys);
        const float *q_panels[block_panels], *o_panels[block_panels], *q_lines[block_panels], *o_lines[block_panels];
        const float* k_lines[block_panels];
        for (int i = 0; i < block_panels; i++) {
            q_panels[i] = query_panels + i * panel_keys * units;
            o_panels[i] = output_panels + i * panel_keys * units;
            q_lines[i] = query_lines + i * page_units * width;
            o_lines[i] = output_lines + i * page_units * width;
            k_lines[i] = key_lines + ((start - first_key) / step + i * page_units) * width;
        }
        for (int64_t k = 0; k < present; k += tile_row_count) {
            const int64_t at = start - first_key + k;
            const int rows = static_cast<int>(present - k < tile_row_count ? present - k : tile_row_count);
            const int paired = (rows + step - 1) / step * step;
            // The first queries see none of these keys.
            const int from = diagonal ? static_cast<int>(k) / panel_keys : 0;
            const int column = from * panel_keys;
            multiply_tile_panels<E>(scores + column, key_block, key_rows + at * unit_stride, unit_stride, paired, q_panels + from,
                                    end - from, units);
            multiply_tile_panels<E>(d_weights + column, key_block, value_rows + at * unit_stride, unit_stride, paired,
                                    o_panels + from, end - from, units);
            float* ds = step == 1 ? d_score_units + k * key_block : d_scores;
            if (diagonal) differentiate<true>(ds, k, paired, column, column + panel_keys);
            differentiate<false>(ds, k, paired, diagonal ? column + panel_keys : column, end * panel_keys);
            if constexpr (Keys) {
                multiply_tile_lines<E, block_units, 1>(d_values + at * width, width, nullptr, weights, rows,
                                                       Lines<float>{o_lines, width}, from * page_units, units_of<E>(count));
                multiply_tile_lines<E, block_units, 1>(d_keys + at * width, width, nullptr, ds, rows,
                                                       Lines<float>{q_lines, width}, from * page_units, units_of<E>(count));
            }
        }
        if constexpr (Queries) {
            for (int64_t q = 0; q < count; q += panel_keys) {
                const int rows = static_cast<int>(count - q < panel_keys ? count - q : panel_keys);
                const int64_t last = diagonal && q + panel_keys < present ? q + panel_keys : present;
                multiply_tile_lines<E, 1, key_block>(d_queries + q * width, width, nullptr, d_score_units + q, rows,
                                                     Lines<float>{k_lines, width}, 0, units_of<E>(last));
            }
        }
    }

    // Scores of keys `key` … (rows) and queries column … end − 1 become p and ds / scale.
    template <bool Masked> void differentiate(float* ds, int64_t key, int rows, int64_t column, int64_t end) {
        const Vector scale = broadcast(a.shape.scale), to_power = broadcast(1.44269504088896341f);
        for (int r = 0; r < rows; r += step) {
            for (int64_t q = column; q < end; q += W) {
                const Vector normaliser = load(normalisers + q), term = load(row_terms + q);
                Vector gradient[step];
#pragma GCC unroll 2
                for (int i = 0; i < step; i++) {
                    const Vector score = load(scores + (r + i) * key_block + q);
                    Vector p = exp2(mul(sub(mul(score, scale), normaliser), to_power));
                    gradient[i] = mul(p, sub(load(d_weights + (r + i) * key_block + q), term));
                    if constexpr (Masked) {
                        const Mask seen = less(broadcast(static_cast<int32_t>(key + r + i - 1)),
                                               add(lanes(), broadcast(static_cast<int32_t>(q))));
                        p = select(seen, p, zero());
                        gradient[i] = select(seen, gradient[i], zero());
                    }
                    E::store_elements(weights + (r + i) * block_units + q / step, p);
                    E::store_elements(ds + (r + i) * block_units + q / step, gradient[i]);
                }
                if constexpr (step == 2) store(d_score_units + (key + r) / 2 * key_block + q, E::join(gradient[0], gradient[1]));
            }
        }
    }

    void store_rows(T* to, const float* from, int64_t rows, float factor) const {
        const Vector by = broadcast(factor);
        for (int64_t r = 0; r < rows; r++)
            each_vector(d, [&](int64_t i, auto part) { store(to + r * packed + i, mul(load(from + r * width + i), by), part); });
    }

    const AttentionArguments& a;
    const int64_t d, units, unit_stride, width, packed, y_stride, group, h0, begin, length;
    const T *queries, *keys, *dy, *y; // of the sequence's first token and the group's first head
    const float* log_sum_exp;
    T *d_queries_out, *d_keys_out;
    int64_t first_key = 0, key_count = 0; // whose tiles are loaded
    float *query_panels, *output_panels, *query_lines, *output_lines, *d_queries;
    float *scores, *d_weights, *weights, *d_scores; // [keys][queries], of up to 16 keys
    float* d_score_units;                           // [units of keys][queries]
    float *normalisers, *row_terms;
    float *key_rows, *value_rows, *key_lines, *d_keys, *d_values;
};

// Of one thread.
template <class T> int64_t attention_backward_stride(int64_t max_length, const lf_attention_shape& shape) {
    return (AttentionBackward<T>::scratch_bytes(max_length, shape) + 63) / 64 * 64;
}

template <class T>
int64_t attention_backward_scratch(const Runtime& runtime, int64_t, int64_t max_length, const lf_attention_shape& shape) {
    return runtime.threads * attention_backward_stride<T>(max_length, shape);
}

inline int64_t attention_workspace_bytes() {
    constexpr int64_t forward = AttentionForward<float>::workspace_bytes, backward = AttentionBackward<float>::workspace_bytes;
    return forward > backward ? forward : backward;
}

template <class T>
void attention_backward(const Runtime& runtime, const AttentionGradients& gradients, const AttentionArguments& a, char* scratch) {
    const int64_t kv_heads = a.shape.kv_heads;
    int64_t blocks = 0, longest = 0;
    double total = 0, largest = 0;
    for (int64_t s = 0; s < a.sequences; s++) {
        const int64_t length = a.query_starts[s + 1] - a.query_starts[s];
        const double work = static_cast<double>(length) * static_cast<double>(length);
        blocks += (length + key_block - 1) / key_block;
        total += work;
        largest = work > largest ? work : largest;
        longest = length > longest ? length : longest;
    }
    const int64_t scratch_stride = attention_backward_stride<T>(longest, a.shape);
    // A task's scratch is its worker's: the difference of two workspaces tells which one that is.
    const auto scratch_of = [&](const char* workspace) {
        return scratch + (workspace - runtime.workspaces) / runtime.workspace_bytes * scratch_stride;
    };
    // A task a key-value head takes five products; a task a block of keys and one a block of queries take four and three, and pay
    // where the longest sequence would be waited for.
    if (largest <= 1.4 * total * static_cast<double>(kv_heads) / runtime.threads) {
        parallel(runtime, a.sequences * kv_heads, [&](int64_t task, char* workspace) {
            AttentionBackward<T>(a, gradients, workspace, scratch_of(workspace), task / kv_heads, task % kv_heads).run();
        });
        return;
    }
    parallel(runtime, 2 * blocks * kv_heads, [&](int64_t task, char* workspace) {
        const int64_t kv_head = task % kv_heads;
        int64_t block = task / kv_heads % blocks, sequence = 0, count = 0;
        const bool of_keys = task < blocks * kv_heads;
        for (;; sequence++, block -= count) {
            count = (a.query_starts[sequence + 1] - a.query_starts[sequence] + key_block - 1) / key_block;
            if (block < count) break;
        }
        AttentionBackward<T> attention(a, gradients, workspace, scratch_of(workspace), sequence, kv_head);
        // The longest first: the first keys are seen by most queries, the last queries see most keys.
        if (of_keys)
            attention.run_keys(block * key_block);
        else
            attention.run_queries((count - 1 - block) * key_block);
    });
}
