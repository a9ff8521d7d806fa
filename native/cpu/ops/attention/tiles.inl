// What the forward and backward passes share: sizes, how tiles are laid out, and the products of small tiles.
//
// A unit is what one 32-bit lane holds of a sum's index: one f32 element, or a pair of bf16 elements where the processor
// multiplies pairs (simd/elements.h). A panel holds 16 keys (or queries) as [units of D][16], to be multiplied over D; lines hold
// 16 keys (or queries) as [units of 16][padded(D)], to be summed over keys. Panels and lines are also what a page of the cache
// holds, so that decoding multiplies straight from the pages.

constexpr int key_block = 64;   // keys at a time, from the first token of the sequence: part of the definition of the result
constexpr int query_rows = 256; // rows (queries x heads) that share a block of keys
constexpr int max_head_dim = 256;
constexpr int panel_keys = LF_PAGE_SIZE;
constexpr int block_panels = key_block / panel_keys;
constexpr int tile_row_count = 16; // rows whose scores are in the level-1 cache at a time

// One head's dimension as tiles store it: padded with zeros to whole vectors.
constexpr int64_t padded(int64_t d) { return (d + W - 1) / W * W; }

inline int64_t packed_heads(const lf_attention_shape& shape) { return shape.heads + int64_t{2} * shape.kv_heads; }

// Calls body(first, Rows<R>) for groups of nearly equal height, at most Most, that cover 0 … rows − 1.
template <int R> struct Rows { static constexpr int count = R; };
template <int R, class Body> inline void with_rows(int rows, int first, const Body& body) {
    if (rows == R) return body(first, Rows<R>{});
    if constexpr (R > 1) with_rows<R - 1>(rows, first, body);
}
template <int Most, class Body> inline void each_row_group(int rows, const Body& body) {
    const int groups = (rows + Most - 1) / Most;
    for (int g = 0; g < groups; g++) {
        const int first = rows * g / groups;
        with_rows<Most>(rows * (g + 1) / groups - first, first, body);
    }
}

// Accumulators of V vectors a row that the registers hold.
constexpr int rows_at_once(int vectors) { return W == 16 && vectors <= 2 ? 8 : 6; }
constexpr int vectors_at_once = W == 16 ? 4 : 2;

// c[R][P·16] = Σ_u a[r·a_row + u] · panels[·][u][16], u ascending.
template <class E, int R, int P, class B>
inline void multiply_panels(float* c, int64_t ldc, const float* a, int64_t a_row, const B* const* panels, int64_t units) {
    constexpr int each = panel_keys / W, V = P * each;
    const B* line[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) line[p] = panels[p];
    Vector sum[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) sum[r][v] = zero();
    }
    for (int64_t u = 0; u < units; u++) {
        Vector b[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) b[v] = load(line[v / each] + u * panel_keys + v % each * W);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const Vector x = broadcast(a[r * a_row + u]);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) sum[r][v] = E::multiply_add(x, b[v], sum[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) store(c + r * ldc + v * W, sum[r][v]);
    }
}

// The same for up to 16 rows and any number of panels.
template <class E, class B>
inline void multiply_tile_panels(float* c, int64_t ldc, const float* a, int64_t a_row, int rows, const B* const* panels,
                                 int count, int64_t units) {
    constexpr int most = vectors_at_once * W / panel_keys;
    for (int p = 0; p < count; p += most) {
        each_row_group<rows_at_once(vectors_at_once)>(rows, [&](int r, auto group) {
            constexpr int R = decltype(group)::count;
            float* to = c + r * ldc + p * panel_keys;
            const float* row = a + r * a_row;
            if constexpr (most >= 4) {
                if (count - p >= 4) return multiply_panels<E, R, 4>(to, ldc, row, a_row, panels + p, units);
                if (count - p == 3) return multiply_panels<E, R, 3>(to, ldc, row, a_row, panels + p, units);
                if (count - p == 2) return multiply_panels<E, R, 2>(to, ldc, row, a_row, panels + p, units);
            }
            multiply_panels<E, R, 1>(to, ldc, row, a_row, panels + p, units);
        });
    }
}

// A product whose sum runs over keys (or queries): a[r·Row + u·Unit] times the lines of `pages`, each 16 / step units of `width`.
template <class B> struct Lines {
    const B* const* pages;
    int64_t width;
};

// c[R][V·W] = c · factor[r] + Σ_u a · lines[u], u = first … last − 1 ascending; factor may be null, which stands for ones.
template <class E, int R, int V, int Row, int Unit, class B>
inline void multiply_lines(float* c, int64_t ldc, const float* factor, const float* a, const Lines<B>& lines, int64_t column,
                           int64_t first, int64_t last) {
    constexpr int64_t page_units = panel_keys / E::step;
    Vector sum[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) sum[r][v] = load(c + r * ldc + v * W);
    }
    if (factor != nullptr) {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const Vector x = broadcast(factor[r]);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) sum[r][v] = mul(x, sum[r][v]);
        }
    }
    for (int64_t u = first; u < last;) {
        const int64_t end = (u / page_units + 1) * page_units, stop = end < last ? end : last;
        const B* line = lines.pages[u / page_units] + u % page_units * lines.width + column;
        for (; u < stop; u++, line += lines.width) {
            Vector b[V];
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) b[v] = load(line + v * W);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                const Vector x = broadcast(a[r * Row + u * Unit]);
#pragma GCC unroll 4
                for (int v = 0; v < V; v++) sum[r][v] = E::multiply_add(x, b[v], sum[r][v]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) store(c + r * ldc + v * W, sum[r][v]);
    }
}

// The same for up to 16 rows and whole lines.
template <class E, int V, int Row, int Unit, class B>
inline void multiply_tile_columns(float* c, int64_t ldc, const float* factor, const float* a, int rows, const Lines<B>& lines,
                                  int64_t column, int64_t first, int64_t last) {
    each_row_group<rows_at_once(V)>(rows, [&](int r, auto group) {
        multiply_lines<E, decltype(group)::count, V, Row, Unit>(
            c + r * ldc + column, ldc, factor == nullptr ? nullptr : factor + r, a + r * Row, lines, column, first, last);
    });
}
template <class E, int Row, int Unit, class B>
inline void multiply_tile_lines(float* c, int64_t ldc, const float* factor, const float* a, int rows, const Lines<B>& lines,
                                int64_t first, int64_t last) {
    int64_t column = 0;
    for (; column + vectors_at_once * W <= lines.width; column += vectors_at_once * W)
        multiply_tile_columns<E, vectors_at_once, Row, Unit>(c, ldc, factor, a, rows, lines, column, first, last);
    const int64_t left = (lines.width - column) / W;
    if constexpr (vectors_at_once == 4) {
        if (left == 3) return multiply_tile_columns<E, 3, Row, Unit>(c, ldc, factor, a, rows, lines, column, first, last);
        if (left == 2) return multiply_tile_columns<E, 2, Row, Unit>(c, ldc, factor, a, rows, lines, column, first, last);
    }
    if (left == 1) multiply_tile_columns<E, 1, Row, Unit>(c, ldc, factor, a, rows, lines, column, first, last);
}

// to[padded(units)] = one row of d elements as units, zeros beyond.
template <class E> inline void pack_row(float* to, const typename E::Storage* from, int64_t d) {
    for (int64_t u = 0; u * E::step < d; u += W) {
        const int64_t left = d - u * E::step;
        store(to + u, E::load_units(from + u * E::step, static_cast<int>(left < W * E::step ? left : W * E::step)));
    }
}

// to[units][16] = `count` rows of d elements as a panel, zeros beyond.
template <class E> inline void pack_panel(float* to, const typename E::Storage* from, int64_t ld, int64_t count, int64_t d) {
    const int64_t units = units_of<E>(d);
    for (int64_t u = 0; u < units; u += W) {
        const int64_t left = d - u * E::step, valid = units - u < W ? units - u : W;
        const int take = static_cast<int>(left < W * E::step ? left : W * E::step);
        for (int64_t lane = 0; lane < panel_keys; lane += W) {
            const typename E::Storage* row = from + lane * ld + u * E::step;
            Vector rows[W];
#pragma GCC unroll 16
            for (int i = 0; i < W; i++) {
                const bool exists = lane + i < count;
                rows[i] = E::load_units(exists ? row + i * ld : from, exists ? take : 0);
            }
            transpose(rows);
            float* line = to + u * panel_keys + lane;
            if (valid == W) {
#pragma GCC unroll 16
                for (int i = 0; i < W; i++) store(line + i * panel_keys, rows[i]);
            } else {
                for (int i = 0; i < valid; i++) store(line + i * panel_keys, rows[i]);
            }
        }
    }
}

// to[units of count][padded(d)] = `count` rows of d elements as lines, zeros beyond.
template <class E> inline void pack_lines(float* to, const typename E::Storage* from, int64_t ld, int64_t count, int64_t d) {
    const int64_t width = padded(d);
    for (int64_t i = 0; i < count; i += E::step) {
        const typename E::Storage* row = from + i * ld;
        float* line = to + i / E::step * width;
        const bool whole = i + E::step <= count;
        each_vector(d, [&](int64_t j, auto part) {
            store(line + j, E::load_column(row + j, E::step == 2 && whole ? row + ld + j : nullptr, part));
        });
    }
}
