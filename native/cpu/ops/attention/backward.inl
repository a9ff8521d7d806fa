// Gradients of attention. The probabilities are recomputed from the kept log-sum-exp (Dao et al., arXiv 2205.14135). One task
// owns a key-value head of a sequence, so every sum runs in one fixed order: dK and dV over query tiles, then heads, then
// queries; dQ over blocks of keys.

template <class T> class AttentionBackward {
  public:
    AttentionBackward(const AttentionArguments& arguments, char* workspace)
        : a(arguments), d(arguments.shape.head_dim), width(padded(d)), packed(packed_heads(arguments.shape) * d) {
        float* next = reinterpret_cast<float*>(workspace);
        const auto take = [&](int64_t elements) {
            float* taken = next;
            next += elements;
            return taken;
        };
        key_columns = take(key_block * d);
        value_columns = take(key_block * d);
        key_rows = take(key_block * width);
        d_keys = take(key_block * width);
        d_values = take(key_block * width);
        queries = take(key_block * width);
        d_outputs = take(key_block * width);
        probabilities = take(key_block * key_block);
        d_scores = take(key_block * key_block);
    }

    static constexpr int64_t workspace_bytes =
        static_cast<int64_t>(sizeof(float)) * (7 * key_block * max_head_dim + 2 * key_block * key_block);
    // dQ as f32 and Σ dy·y, of the heads of one group.
    static int64_t scratch_bytes(int64_t length, const lf_attention_shape& shape) {
        const int64_t rows = length * (shape.heads / shape.kv_heads);
        return (rows * (padded(shape.head_dim) + 1) * static_cast<int64_t>(sizeof(float)) + 63) / 64 * 64;
    }

    void run(T* d_qkv, const T* dy, const T* y, const float* log_sum_exp, int64_t sequence, int64_t kv_head, char* scratch) {
        begin = a.query_starts[sequence];
        length = a.query_starts[sequence + 1] - begin;
        const int64_t group = a.shape.heads / a.shape.kv_heads, h0 = kv_head * group, y_stride = int64_t{a.shape.heads} * d;
        d_queries = reinterpret_cast<float*>(scratch);
        row_terms = d_queries + group * length * width;
        for (int64_t h = 0; h < group; h++) {
            for (int64_t t = 0; t < length; t++) {
                const int64_t at = (begin + t) * y_stride + (h0 + h) * d;
                Vector sum = zero();
                each_vector(d, [&](int64_t i, auto part) { sum = fma(load(dy + at + i, part), load(y + at + i, part), sum); });
                row_terms[h * length + t] = sum_lanes(sum);
            }
        }
        for (int64_t i = 0; i < group * length * width; i += W) store(d_queries + i, zero());

        const T* qkv = static_cast<const T*>(a.qkv) + begin * packed;
        const T* keys = qkv + (a.shape.heads + kv_head) * d;
        const T* values = keys + int64_t{a.shape.kv_heads} * d;
        T* d_qkv_rows = d_qkv + begin * packed;
        for (int64_t start = 0; start < length; start += key_block) {
            const int64_t present = length - start < key_block ? length - start : key_block;
            widen_columns(key_columns, keys + start * packed, packed, present, d);
            widen_columns(value_columns, values + start * packed, packed, present, d);
            widen_rows(key_rows, keys + start * packed, packed, present, d);
            for (int64_t i = 0; i < key_block * width; i += W) {
                store(d_keys + i, zero());
                store(d_values + i, zero());
            }
            for (int64_t first = start; first < length; first += key_block) {
                const int64_t count = length - first < key_block ? length - first : key_block;
                for (int64_t h = 0; h < group; h++) {
                    widen_rows(queries, qkv + first * packed + (h0 + h) * d, packed, count, d);
                    widen_rows(d_outputs, dy + (begin + first) * y_stride + (h0 + h) * d, y_stride, count, d);
                    add_tile(start, present, first, count, h, log_sum_exp + h0);
                }
            }
            T* d_key_rows = d_qkv_rows + start * packed + (a.shape.heads + kv_head) * d;
            store_rows(d_key_rows, d_keys, present);
            store_rows(d_key_rows + int64_t{a.shape.kv_heads} * d, d_values, present);
        }
        for (int64_t h = 0; h < group; h++) store_rows(d_qkv_rows + (h0 + h) * d, d_queries + h * length * width, length);
    }

  private:
    // Queries first … first + count − 1 of head h (of the group) against keys start … start + present − 1.
    void add_tile(int64_t start, int64_t present, int64_t first, int64_t count, int64_t h, const float* log_sum_exp) {
        const int64_t columns = padded(present);
        multiply_small(probabilities, key_block, queries, width, 1, key_columns, key_block, count, columns, d, false);
        multiply_small(d_scores, key_block, d_outputs, width, 1, value_columns, key_block, count, columns, d, false);
        const Vector scale = broadcast(a.shape.scale);
        for (int64_t q = 0; q < count; q++) {
            const int64_t t = first + q;
            const int64_t seen = t - start + 1 < present ? t - start + 1 : present;
            const Vector normaliser = broadcast(log_sum_exp[(begin + t) * a.shape.heads + h]);
            const Vector term = broadcast(row_terms[h * length + t]);
            float *p = probabilities + q * key_block, *ds = d_scores + q * key_block;
            for (int64_t i = 0; i < columns; i += W) {
                const Mask mask = less(add(lanes(), broadcast(static_cast<int32_t>(i))), broadcast(static_cast<int32_t>(seen)));
                const Vector probability = select(mask, exp(sub(mul(load(p + i), scale), normaliser)), zero());
                store(p + i, probability);
                store(ds + i, select(mask, mul(mul(probability, sub(load(ds + i), term)), scale), zero()));
            }
        }
        multiply_small(d_values, width, probabilities, 1, key_block, d_outputs, width, present, width, count, true);
        multiply_small(d_keys, width, d_scores, 1, key_block, queries, width, present, width, count, true);
        multiply_small(d_queries + (h * length + first) * width, width, d_scores, key_block, 1, key_rows, width, count, width,
                       present, true);
    }

    void store_rows(T* to, const float* from, int64_t rows) const {
        for (int64_t r = 0; r < rows; r++)
            each_vector(d, [&](int64_t i, auto part) { store(to + r * packed + i, load(from + r * width + i), part); });
    }

    const AttentionArguments& a;
    const int64_t d, width, packed;
    int64_t begin = 0, length = 0;
    float *key_columns, *value_columns, *key_rows, *d_keys, *d_values, *queries, *d_outputs, *probabilities, *d_scores;
    float *d_queries = nullptr, *row_terms = nullptr;
};

inline int64_t attention_backward_scratch(int64_t max_length, const lf_attention_shape& shape) {
    return AttentionBackward<float>::scratch_bytes(max_length, shape);
}

inline int64_t attention_workspace_bytes() {
    constexpr int64_t forward = AttentionForward<float>::workspace_bytes, backward = AttentionBackward<float>::workspace_bytes;
    return forward > backward ? forward : backward;
}

template <class T>
void attention_backward(const Runtime& runtime, void* d_qkv, const void* dy, const void* y, const float* log_sum_exp,
                        const AttentionArguments& a, char* scratch, int64_t scratch_stride) {
    // A task's scratch is its worker's: the difference of two workspaces tells which one that is.
    parallel(runtime, a.sequences * a.shape.kv_heads, [&](int64_t task, char* workspace) {
        const int64_t worker = (workspace - runtime.workspaces) / runtime.workspace_bytes;
        AttentionBackward<T>(a, workspace)
            .run(static_cast<T*>(d_qkv), static_cast<const T*>(dy), static_cast<const T*>(y), log_sum_exp,
                 task / a.shape.kv_heads, task % a.shape.kv_heads, scratch + worker * scratch_stride);
    });
}
