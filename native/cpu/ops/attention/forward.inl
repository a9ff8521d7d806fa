// Attention over blocks of keys with a running maximum and sum (Milakov and Gimelshein, arXiv 1805.02867; Dao, arXiv 2307.08691).
// The contract is src/Luffy.Kernels/Ops/Attention.cs. One inner loop serves packed sequences and the paged cache: a query's bits
// depend on its own row and on its keys, and not on the rows that share the tile. So a row's sums hold its own keys alone: what
// others of the tile see beyond them is added row by row, and the other half of an odd row's last pair is left out.

template <class T> class AttentionForward {
    using E = ElementOf<T>;
    static constexpr int step = E::step, block_units = key_block / step;

  public:
    AttentionForward(const AttentionArguments& arguments, char* workspace)
        : a(arguments), d(arguments.shape.head_dim), units(units_of<E>(d)), unit_stride(padded(units)), width(padded(d)),
          to_power(arguments.shape.scale * 1.44269504088896341f) {
        float* next = reinterpret_cast<float*>(workspace);
        const auto take = [&](int64_t elements) {
            float* taken = next;
            next += elements;
            return taken;
        };
        queries = take(query_rows * unit_stride);
        output = take(query_rows * width);
        panels = take(key_block * unit_stride);
        lines = take(block_units * width);
        half_line = take(width);
        scores = take(tile_row_count * key_block);
        weights = take(tile_row_count * block_units);
        factors = take(tile_row_count);
        maximum = take(query_rows);
        sums = take(query_rows * W);
        limit = reinterpret_cast<int32_t*>(take(query_rows));
        query_at = reinterpret_cast<int32_t*>(take(query_rows));
    }

    static constexpr int64_t workspace_bytes =
        static_cast<int64_t>(sizeof(float)) * ((2 * (query_rows + key_block) + 1) * max_head_dim +
                                               2 * tile_row_count * key_block + tile_row_count + (3 + W) * query_rows);

    // Queries first … first + count − 1 (rows of the call) of heads h0 … h0 + heads − 1, all of one key-value head; the query of
    // row t sees keys 0 … t + offset. Rows of the tile are ordered by query and then by head.
    void run(const KeyValueSource<T>& source, T* y, float* log_sum_exp, int64_t first, int64_t count, int64_t offset, int64_t h0,
             int64_t heads) {
        const int64_t packed = packed_heads(a.shape) * d, rows = heads * count;
        first_query = static_cast<const T*>(a.qkv) + first * packed + h0 * d;
        int64_t row = 0;
        for (int64_t q = 0; q < count; q++) {
            for (int64_t h = 0; h < heads; h++, row++) {
                query_at[row] = static_cast<int32_t>(q * packed + h * d);
                limit[row] = static_cast<int32_t>(first + q + offset + 1);
                maximum[row] = -infinity;
                store(sums + row * W, zero());
            }
        }
        for (int64_t i = 0; i < rows * width; i += W) store(output + i, zero());

        const int64_t keys = limit[rows - 1];
        for (int64_t start = 0; start < keys; start += key_block) {
            const int64_t present = keys - start < key_block ? keys - start : key_block;
            // Rows that see a key of this block.
            const int64_t unseeing = start - (first + offset), begin = unseeing > 0 ? unseeing * heads : 0;
            if (source.pages == nullptr) {
                load_block(source, start, present, keys);
                const float *keys_at[block_panels], *values_at[block_panels];
                for (int64_t i = 0; i < block_panels; i++) {
                    keys_at[i] = panels + i * panel_keys * units;
                    values_at[i] = lines + i * (panel_keys / step) * width;
                }
                add_block(keys_at, values_at, begin, rows, start);
            } else {
                const PageLayout<T> layout(a.shape);
                const typename E::Panel *keys_at[block_panels], *values_at[block_panels];
                for (int64_t i = 0; i * panel_keys < present; i++) {
                    keys_at[i] = source.page_of(start + i * panel_keys);
                    values_at[i] = keys_at[i] + layout.value_offset;
                }
                prefetch_pages(source, layout, start + key_block, keys);
                add_block(keys_at, values_at, begin, rows, start);
            }
        }

        finish(y, log_sum_exp, first, count, h0, heads);
    }

  private:
    // The queries of the next rows come while these are worked on.
    void load_queries(int64_t first, int count, int64_t rows) {
        for (int64_t r = first; r < first + count; r++) pack_row<E>(queries + r * unit_stride, first_query + query_at[r], d);
        for (int64_t r = first + count; r < rows && r < first + count + tile_row_count; r++)
            prefetch_row(first_query + query_at[r]);
    }

    void load_block(const KeyValueSource<T>& source, int64_t start, int64_t present, int64_t keys) {
        const int64_t next = keys < start + 2 * key_block ? keys : start + 2 * key_block;
        for (int64_t i = 0; i < present; i += panel_keys) {
            const int64_t count = present - i < panel_keys ? present - i : panel_keys;
            const T* row = source.keys + (start + i) * source.row_stride;
            pack_panel<E>(panels + i * units, row, source.row_stride, count, d);
            pack_lines<E>(lines + i / step * width, row + source.value_offset, source.row_stride, count, d);
        }
        // The rows lie far apart, which no hardware foresees: the next block comes while this one is worked on.
        for (int64_t i = start + key_block; i < next; i++) {
            prefetch_row(source.keys + i * source.row_stride);
            prefetch_row(source.keys + i * source.row_stride + source.value_offset);
        }
    }

    void prefetch_row(const T* row) const {
        for (int64_t byte = 0; byte < d * static_cast<int64_t>(sizeof(T)); byte += 64)
            __builtin_prefetch(reinterpret_cast<const char*>(row) + byte, 0, 2);
    }

    // Pages lie anywhere, and a few rows are done with a block sooner than the next one arrives.
    void prefetch_pages(const KeyValueSource<T>& source, const PageLayout<T>& layout, int64_t start, int64_t keys) const {
        const int64_t bytes = layout.head * static_cast<int64_t>(sizeof(typename E::Panel));
        for (int64_t key = start; key < keys && key < start + key_block; key += panel_keys) {
            const char* page = reinterpret_cast<const char*>(source.page_of(key));
            for (int64_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(page + byte, 0, 2);
        }
    }

    int seen_keys(int64_t row, int64_t start) const {
        const int64_t seen = limit[row] - start;
        return static_cast<int>(seen < key_block ? seen : key_block);
    }

    template <class B>
    void add_block(const B* const* keys_at, const B* const* values_at, int64_t begin, int64_t rows, int64_t start) {
        for (int64_t r = begin; r < rows; r += tile_row_count) {
            const int count = static_cast<int>(rows - r < tile_row_count ? rows - r : tile_row_count);
            if (start == 0) load_queries(r, count, rows);
            const int seen = (seen_keys(r + count - 1, start) + panel_keys - 1) / panel_keys;
            multiply_tile_panels<E>(scores, key_block, queries + r * unit_stride, unit_stride, count, keys_at, seen, units);
            weigh(r, count, start, seen);
            add_values(values_at, r, count, start);
        }
    }

    // Scores become weights e^((score − maximum) · scale), and factors what rescales the sums of before to the new maximum.
    void weigh(int64_t first, int count, int64_t start, int seen_panels) {
        if (seen_keys(first, start) == key_block) return weigh_rows<block_panels, false>(first, count, start);
        switch (seen_panels) {
        case 1:
            return weigh_rows<1, true>(first, count, start);
        case 2:
            return weigh_rows<2, true>(first, count, start);
        case 3:
            return weigh_rows<3, true>(first, count, start);
        default:
            return weigh_rows<4, true>(first, count, start);
        }
    }

    // Of the first P panels. Lanes beyond the keys that a row sees count as nothing: −∞ to the maximum, +0 to the sum, neither of
    // which changes a bit.
    template <int P, bool Masked> void weigh_rows(int64_t first, int count, int64_t start) {
        constexpr int V = P * panel_keys / W;
        const Vector power = broadcast(to_power);
        for (int i = 0; i < count; i++) {
            const float* row = scores + i * key_block;
            const Integers seen = broadcast(static_cast<int32_t>(limit[first + i] - start));
            Vector top = broadcast(maximum[first + i]);
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) {
                Vector score = load(row + v * W);
                if constexpr (Masked)
                    score = select(less(add(lanes(), broadcast(int32_t{v * W})), seen), score, broadcast(-infinity));
                top = max(top, score);
            }
            factors[i] = max_lanes(top);
        }
        each_vector(count, [&](int64_t i, auto part) {
            const Vector top = load(factors + i, part), before = load(maximum + first + i, part);
            store(maximum + first + i, top, part);
            store(factors + i, exp2(mul(sub(before, top), power)), part);
        });
        for (int i = 0; i < count; i++) {
            const float* row = scores + i * key_block;
            const Integers seen = broadcast(static_cast<int32_t>(limit[first + i] - start));
            const Vector top = broadcast(maximum[first + i]);
            Vector total = mul(load(sums + (first + i) * W), broadcast(factors[i]));
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) {
                Vector weight = exp2(mul(sub(load(row + v * W), top), power));
                if constexpr (Masked) weight = select(less(add(lanes(), broadcast(int32_t{v * W})), seen), weight, zero());
                E::store_elements(weights + i * block_units + v * W / step, weight);
                total = add(total, weight);
            }
            store(sums + (first + i) * W, total);
        }
    }

    // output = output · factor + weights · values.
    template <class B> void add_values(const B* const* values_at, int64_t first, int count, int64_t start) {
        float* o = output + first * width;
        const Lines<B> from{values_at, width};
        const int common = seen_keys(first, start) / step;
        multiply_tile_lines<E, block_units, 1>(o, width, factors, weights, count, from, 0, common);
        for (int i = 0; i < count;) {
            const int seen = seen_keys(first + i, start);
            int alike = 1;
            while (i + alike < count && seen_keys(first + i + alike, start) == seen) alike++;
            const float* row = weights + i * block_units;
            if (common < seen / step)
                multiply_tile_lines<E, block_units, 1>(o + i * width, width, nullptr, row, alike, from, common, seen / step);
            if constexpr (step == 2) {
                if (seen % 2 != 0) add_half_pair(o + i * width, row + seen / 2, alike, values_at, seen / 2);
            }
            i += alike;
        }
    }

    // The first key of a pair alone.
    template <class B> void add_half_pair(float* o, const float* weight, int rows, const B* const* values_at, int unit) {
        const B* line = values_at[unit / (panel_keys / step)] + unit % (panel_keys / step) * width;
        for (int64_t i = 0; i < width; i += W) store(half_line + i, E::first_of_pair(load(line + i)));
        const float* only[1] = {half_line};
        multiply_tile_lines<E, block_units, 1>(o, width, nullptr, weight, rows, Lines<float>{only, width}, 0, 1);
    }

    void finish(T* y, float* log_sum_exp, int64_t first, int64_t count, int64_t h0, int64_t heads) {
        const int64_t rows = count * heads;
        // Each total lies behind what is still to be read.
        for (int64_t r = 0; r < rows; r++) sums[r] = sum_lanes(load(sums + r * W));
        int64_t r = 0;
        for (int64_t q = 0; q < count; q++) {
            T* to = y + ((first + q) * a.shape.heads + h0) * d;
            for (int64_t h = 0; h < heads; h++, r++) {
                const Vector inverse = broadcast(1.0f / sums[r]);
                const float* from = output + r * width;
                each_vector(d, [&](int64_t i, auto part) { store(to + h * d + i, mul(load(from + i), inverse), part); });
            }
        }
        if (log_sum_exp == nullptr) return;
        const Vector scale = broadcast(a.shape.scale);
        each_vector(rows, [&](int64_t i, auto part) {
            store(sums + i, fma(load(maximum + i, part), scale, log(load(sums + i, part))), part);
        });
        for (int64_t q = 0; q < count; q++) {
            float* to = log_sum_exp + (first + q) * a.shape.heads + h0;
            for (int64_t h = 0; h < heads; h++) to[h] = sums[q * heads + h];
        }
    }

    const AttentionArguments& a;
    const int64_t d, units, unit_stride, width;
    const float to_power;
    const T* first_query = nullptr;
    float *queries, *output, *panels, *lines, *half_line, *scores, *weights, *factors, *maximum, *sums;
    int32_t* limit;    // keys that each row sees, from the start of its sequence; ascending
    int32_t* query_at; // where each row's query lies from the first
};

// Where a sequence's queries are cut into tiles.
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
    const int64_t kv_heads = a.shape.kv_heads, group = a.shape.heads / kv_heads;
    const auto tiles_of = [&](int64_t s) { return tiles.count(a.query_starts[s + 1] - a.query_starts[s]); };
    int64_t total = 0;
    for (int64_t s = 0; s < a.sequences; s++) total += tiles_of(s);
    // Decoding has many small tiles: several make a task.
    const bool small = a.query_starts[a.sequences] <= a.sequences * tiles.queries_per_tile / 8;
    const int64_t parts = small && total > int64_t{8} * runtime.threads ? int64_t{8} * runtime.threads : total;
    // From the end, where the long rows of a causal triangle are: the last task to finish is then a short one.
    parallel(runtime, parts * kv_heads, [&](int64_t task, char* workspace) {
        const int64_t part = parts - 1 - task / kv_heads, kv_head = task % kv_heads, end_tile = total * (part + 1) / parts;
        int64_t tile = total * part / parts, left = end_tile - tile, sequence = 0;
        AttentionForward<T> attention(a, workspace);
        for (; left > 0; tile++, left--) {
            for (; tile >= tiles_of(sequence); sequence++) tile -= tiles_of(sequence);
            const int64_t begin = a.query_starts[sequence], end = a.query_starts[sequence + 1];
            const int64_t length = a.cache == nullptr ? end - begin : a.context_lengths[sequence];
            const int64_t first = begin + tile * tiles.queries_per_tile;
            const int64_t count = end - first < tiles.queries_per_tile ? end - first : tiles.queries_per_tile;
            const KeyValueSource<T> source = key_values<T>(a, sequence, kv_head);
            for (int64_t h = 0; h < group; h += tiles.heads_per_tile) {
                attention.run(source, static_cast<T*>(y), log_sum_exp, first, count, length - end, kv_head * group + h,
                              group - h < tiles.heads_per_tile ? group - h : tiles.heads_per_tile);
            }
        }
    });
}
