// Attention over blocks of keys with a running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867; Dao, arXiv 2307.08691).
// The contract is src/Luffy.Kernels/Ops/Attention.cs. One inner loop serves packed sequences and the paged cache: a query's bits
// depend on its own row and on its keys, and not on the rows that share the tile.

template <class T> class AttentionForward {
  public:
    AttentionForward(const AttentionArguments& arguments, char* workspace)
        : a(arguments), width(padded(arguments.shape.head_dim)) {
        float* next = reinterpret_cast<float*>(workspace);
        const auto take = [&](int64_t elements) {
            float* taken = next;
            next += elements;
            return taken;
        };
        queries = take(query_rows * width);
        output = take(query_rows * width);
        scores = take(query_rows * key_block);
        key_columns = take(key_block * int64_t{a.shape.head_dim});
        value_rows = take(key_block * width);
        maximum = take(query_rows);
        rescale = take(query_rows);
        sum = take(query_rows);
        limit = reinterpret_cast<int32_t*>(take(query_rows));
    }

    static constexpr int64_t workspace_bytes =
        static_cast<int64_t>(sizeof(float)) * (2 * (query_rows + key_block) * max_head_dim + query_rows * (key_block + 4));

    // Queries first … first + count − 1 (rows of the call) of heads h0 … h0 + heads − 1, all of one key-value head; the query of
    // row t sees keys 0 … t + offset.
    void run(const KeyValueSource<T>& source, T* y, float* log_sum_exp, int64_t first, int64_t count, int64_t offset, int64_t h0,
             int64_t heads) {
        const int64_t d = a.shape.head_dim, packed = packed_heads(a.shape) * d;
        const int64_t rows = heads * count;
        for (int64_t h = 0; h < heads; h++) {
            widen_rows(queries + h * count * width, static_cast<const T*>(a.qkv) + first * packed + (h0 + h) * d, packed, count,
                       d);
            for (int64_t q = 0; q < count; q++) limit[h * count + q] = static_cast<int32_t>(first + q + offset + 1);
        }
        for (int64_t r = 0; r < rows; r++) {
            maximum[r] = -infinity;
            sum[r] = 0;
        }
        for (int64_t i = 0; i < rows * width; i += W) store(output + i, zero());

        // A tile of keys pays when enough rows share it. (Rows of a page are not padded, so a head must be whole vectors.)
        const bool direct = source.pages != nullptr && rows <= 8 && d == width;
        const int64_t keys = first + count + offset; // that the last query sees
        for (int64_t start = 0; start < keys; start += key_block) {
            const int64_t present = keys - start < key_block ? keys - start : key_block;
            if (direct) {
                score_pages(source, rows, start, present);
            } else {
                source.load_block(key_columns, value_rows, start, present);
                multiply_small(scores, key_block, queries, width, 1, key_columns, key_block, rows, padded(present), d, false);
            }
            update_rows(rows, start);
            add_values(source, rows, start, direct);
        }

        const int64_t y_stride = int64_t{a.shape.heads} * d;
        for (int64_t h = 0; h < heads; h++) {
            for (int64_t q = 0; q < count; q++) {
                const int64_t r = h * count + q;
                const Vector inverse = broadcast(1.0f / sum[r]);
                T* row = y + (first + q) * y_stride + (h0 + h) * d;
                each_vector(d, [&](int64_t i, auto part) { store(row + i, mul(load(output + r * width + i), inverse), part); });
                if (log_sum_exp != nullptr) log_sum_exp[(first + q) * a.shape.heads + h0 + h] = maximum[r] + log1(sum[r]);
            }
        }
    }

  private:
    int64_t seen_keys(int64_t row, int64_t start) const {
        const int64_t seen = limit[row] - start;
        return seen < 0 ? 0 : seen < key_block ? seen : key_block;
    }

    // Scores become e^(score − maximum), and what was summed before is rescaled to the new maximum. Lanes beyond the keys that a
    // row sees count as nothing: −∞ to the maximum, +0 to the sum, neither of which changes a bit.
    void update_rows(int64_t rows, int64_t start) {
        const Vector scale = broadcast(a.shape.scale);
        for (int64_t r = 0; r < rows; r++) {
            float* row = scores + r * key_block;
            Vector top = broadcast(maximum[r]);
            each_vector(seen_keys(r, start), [&](int64_t i, auto part) {
                const Vector s = tail_is(mul(load(row + i), scale), part, -infinity);
                store(row + i, s);
                top = max(top, s);
            });
            rescale[r] = max_lanes(top);
        }
        // A row without a key in this block keeps its maximum of before, which may be −∞: its factor is never used.
        for (int64_t r = 0; r < rows; r += W) {
            const Vector top = load(rescale + r);
            store(rescale + r, exp(sub(load(maximum + r), top)));
            store(maximum + r, top);
        }
        for (int64_t r = 0; r < rows; r++) {
            const int64_t seen = seen_keys(r, start);
            if (seen == 0) continue;
            float* row = scores + r * key_block;
            const Vector m = broadcast(maximum[r]);
            Vector total = zero();
            each_vector(seen, [&](int64_t i, auto) {
                const Vector p = exp(sub(load(row + i), m));
                store(row + i, p);
                total = add(total, p);
            });
            sum[r] = __builtin_fmaf(sum[r], rescale[r], sum_lanes(total));
            if (rescale[r] == 1.0f) continue;
            float* o = output + r * width;
            for (int64_t i = 0; i < width; i += W) store(o + i, mul(load(o + i), broadcast(rescale[r])));
        }
    }

    void score_pages(const KeyValueSource<T>& source, int64_t rows, int64_t start, int64_t present) {
        constexpr int together = W == 16 ? key_block / LF_PAGE_SIZE : 1;
        const T* pages[key_block / LF_PAGE_SIZE];
        for (int64_t i = 0; i < present; i += LF_PAGE_SIZE) pages[i / LF_PAGE_SIZE] = source.page_of(start + i);
        for (int64_t i = 0; i < present;) {
            const bool several = i + together * LF_PAGE_SIZE <= (present + LF_PAGE_SIZE - 1) / LF_PAGE_SIZE * LF_PAGE_SIZE;
            each_row_group(rows, [&](int64_t r, auto group) {
                // Four rows at most: with as many pages they fill the registers.
                constexpr int count = decltype(group)::count, part = count > 4 ? 4 : count;
                for (int64_t row = r; row < r + count; row += part) {
                    float* to = scores + row * key_block + i;
                    const float* query = queries + row * width;
                    if (several)
                        multiply_pages<part, together>(to, key_block, query, width, pages + i / LF_PAGE_SIZE, width);
                    else
                        multiply_pages<part, 1>(to, key_block, query, width, pages + i / LF_PAGE_SIZE, width);
                }
            });
            i += several ? together * LF_PAGE_SIZE : LF_PAGE_SIZE;
        }
    }

    // output += p·V over the keys that each row sees: those that a group of rows has in common together, the rest row by row.
    void add_values(const KeyValueSource<T>& source, int64_t rows, int64_t start, bool direct) {
        for (int64_t r = 0; r < rows; r += rows_at_once) {
            const int64_t group = rows - r < rows_at_once ? rows - r : rows_at_once;
            int64_t common = key_block;
            for (int64_t i = r; i < r + group; i++) common = seen_keys(i, start) < common ? seen_keys(i, start) : common;
            add_values(source, r, group, start, 0, common, direct);
            for (int64_t i = r; i < r + group; i++) add_values(source, i, 1, start, common, seen_keys(i, start), direct);
        }
    }

    // The same for keys start + from … start + to − 1 and rows that see them all.
    void add_values(const KeyValueSource<T>& source, int64_t row, int64_t rows, int64_t start, int64_t from, int64_t to,
                    bool direct) {
        float *o = output + row * width, *p = scores + row * key_block;
        if (!direct) {
            if (from < to)
                multiply_small(o, width, p + from, key_block, 1, value_rows + from * width, width, rows, width, to - from, true);
            return;
        }
        while (from < to) {
            const int64_t offset = from % LF_PAGE_SIZE, left = LF_PAGE_SIZE - offset, count = to - from < left ? to - from : left;
            const T* values = source.page_of(start + from) + (LF_PAGE_SIZE + offset) * width;
            multiply_small(o, width, p + from, key_block, 1, values, width, rows, width, count, true);
            from += count;
        }
    }

    const AttentionArguments& a;
    const int64_t width;
    float *queries, *output, *scores, *key_columns, *value_rows, *maximum, *rescale, *sum;
    int32_t* limit; // keys that each row sees, from the start of its sequence
};

template <class T> KeyValueSource<T> key_values(const AttentionArguments& a, int64_t sequence, int64_t kv_head) {
    const int64_t d = a.shape.head_dim, row = packed_heads(a.shape) * d;
    KeyValueSource<T> source{a.shape, nullptr, row, int64_t{a.shape.kv_heads} * d, nullptr, nullptr, kv_head};
    if (a.cache == nullptr) {
        source.keys = static_cast<const T*>(a.qkv) + a.query_starts[sequence] * row + (a.shape.heads + kv_head) * d;
    } else {
        source.pages = static_cast<const T*>(a.cache);
        source.table = a.page_table + sequence * a.table_stride;
    }
    return source;
}

// Where a sequence's queries are cut into tiles; walks the tiles of all sequences in order.
struct QueryTiles {
    int64_t heads_per_tile, queries_per_tile;

    explicit QueryTiles(const lf_attention_shape& shape) {
        const int64_t group = shape.heads / shape.kv_heads;
        heads_per_tile = group < query_rows ? group : query_rows;
        queries_per_tile = query_rows / heads_per_tile;
    }
    int64_t count(int64_t queries) const { return (queries + queries_per_tile - 1) / queries_per_tile; }
};

template <class T> void attention_forward(const Runtime& runtime, void* y, float* log_sum_exp, const AttentionArguments& a) {
    const QueryTiles tiles(a.shape);
    int64_t total = 0;
    for (int64_t s = 0; s < a.sequences; s++) total += tiles.count(a.query_starts[s + 1] - a.query_starts[s]);
    const int64_t group = a.shape.heads / a.shape.kv_heads;
    // From the end, where the long rows of a causal triangle are: the last task to finish is then a short one.
    parallel(runtime, total * a.shape.kv_heads, [&](int64_t task, char* workspace) {
        int64_t tile = total - 1 - task / a.shape.kv_heads, sequence = 0;
        const int64_t kv_head = task % a.shape.kv_heads;
        while (tile >= tiles.count(a.query_starts[sequence + 1] - a.query_starts[sequence])) {
            tile -= tiles.count(a.query_starts[sequence + 1] - a.query_starts[sequence]);
            sequence++;
        }
        const int64_t begin = a.query_starts[sequence], end = a.query_starts[sequence + 1];
        const int64_t length = a.cache == nullptr ? end - begin : a.context_lengths[sequence];
        const int64_t first = begin + tile * tiles.queries_per_tile;
        const int64_t count = end - first < tiles.queries_per_tile ? end - first : tiles.queries_per_tile;
        const KeyValueSource<T> source = key_values<T>(a, sequence, kv_head);
        AttentionForward<T> attention(a, workspace);
        for (int64_t h = 0; h < group; h += tiles.heads_per_tile) {
            attention.run(source, static_cast<T*>(y), log_sum_exp, first, count, length - end, kv_head * group + h,
                          group - h < tiles.heads_per_tile ? group - h : tiles.heads_per_tile);
        }
    });
}
