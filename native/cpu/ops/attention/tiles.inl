// What the forward and backward passes share: sizes, tiles of keys and values as f32, and a product of small tiles.

constexpr int key_block = 64;   // keys at a time, from the first token of the sequence: part of the definition of the result
constexpr int query_rows = 128; // rows (queries x heads) that share a tile of keys
constexpr int max_head_dim = 256;

// One head's dimension as tiles store it: padded with zeros to whole vectors.
constexpr int64_t padded(int64_t d) { return (d + W - 1) / W * W; }

template <class T> struct WidenElement;
template <> struct WidenElement<float> { using type = F32Element; };
template <> struct WidenElement<bf16> { using type = WidenedElement; };

// c[r][V·W] (+)= Σ_k a[r·a_row + k·a_k] · b[k][V·W], k ascending.
template <int R, int V, class B>
inline void multiply_rows(float* c, int64_t ldc, const float* a, int64_t a_row, int64_t a_k, const B* b, int64_t ldb, int64_t k,
                          bool from_c) {
    Vector sum[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) sum[r][v] = from_c ? load(c + r * ldc + v * W) : zero();
    }
    for (int64_t i = 0; i < k; i++) {
        Vector line[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) line[v] = load(b + i * ldb + v * W);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const Vector x = broadcast(a[r * a_row + i * a_k]);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) sum[r][v] = fma(x, line[v], sum[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) store(c + r * ldc + v * W, sum[r][v]);
    }
}

template <int R, class B>
inline void multiply_columns(float* c, int64_t ldc, const float* a, int64_t a_row, int64_t a_k, const B* b, int64_t ldb,
                             int64_t n, int64_t k, bool from_c) {
    int64_t j = 0;
    // Few rows leave registers for more columns, and a multiply-add must not wait for the one before.
    constexpr int wide = W == 16 && R <= 4 ? 4 : 2;
    for (; j + wide * W <= n; j += wide * W) multiply_rows<R, wide>(c + j, ldc, a, a_row, a_k, b + j, ldb, k, from_c);
    if (wide > 2 && j + 2 * W <= n) {
        multiply_rows<R, 2>(c + j, ldc, a, a_row, a_k, b + j, ldb, k, from_c);
        j += 2 * W;
    }
    if (j < n) multiply_rows<R, 1>(c + j, ldc, a, a_row, a_k, b + j, ldb, k, from_c);
}

constexpr int rows_at_once = W == 16 ? 8 : 4;

// Calls body(first, Rows<R>) for groups of rows that cover 0 … rows − 1.
template <int R> struct Rows { static constexpr int count = R; };
template <class Body> inline void each_row_group(int64_t rows, const Body& body) {
    int64_t i = 0;
    for (; i + rows_at_once <= rows; i += rows_at_once) body(i, Rows<rows_at_once>{});
    if (rows_at_once > 4 && i + 4 <= rows) {
        body(i, Rows<4>{});
        i += 4;
    }
    if (i + 2 <= rows) {
        body(i, Rows<2>{});
        i += 2;
    }
    if (i < rows) body(i, Rows<1>{});
}

// c[m][n] (+)= a · b for any m and k, n whole vectors; element (i, k) of a at a[i·a_row + k·a_k].
template <class B>
inline void multiply_small(float* c, int64_t ldc, const float* a, int64_t a_row, int64_t a_k, const B* b, int64_t ldb, int64_t m,
                           int64_t n, int64_t k, bool from_c) {
    each_row_group(m, [&](int64_t i, auto rows) {
        multiply_columns<decltype(rows)::count>(c + i * ldc, ldc, a + i * a_row, a_row, a_k, b, ldb, n, k, from_c);
    });
}

// scores[r][P·LF_PAGE_SIZE] = a · keys, read straight from P pages, each [D][LF_PAGE_SIZE].
template <int R, int P, class T>
inline void multiply_pages(float* scores, int64_t ldc, const float* a, int64_t a_row, const T* const* pages, int64_t d) {
    constexpr int each = LF_PAGE_SIZE / W;
    Vector sum[R][P * each];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < P * each; v++) sum[r][v] = zero();
    }
    for (int64_t i = 0; i < d; i++) {
        Vector line[P * each];
#pragma GCC unroll 8
        for (int v = 0; v < P * each; v++) line[v] = load(pages[v / each] + i * LF_PAGE_SIZE + v % each * W);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const Vector x = broadcast(a[r * a_row + i]);
#pragma GCC unroll 8
            for (int v = 0; v < P * each; v++) sum[r][v] = fma(x, line[v], sum[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < P * each; v++) store(scores + r * ldc + v * W, sum[r][v]);
    }
}

// to[row][padded(d)] = `rows` rows of d elements, zeros beyond.
template <class T> inline void widen_rows(float* to, const T* from, int64_t ld, int64_t rows, int64_t d) {
    const int64_t width = padded(d);
    for (int64_t r = 0; r < rows; r++)
        each_vector(d, [&](int64_t i, auto part) { store(to + r * width + i, load(from + r * ld + i, part)); });
}

// to[d][key_block] = `rows` rows of d elements, transposed, zeros beyond.
template <class T> inline void widen_columns(float* to, const T* from, int64_t ld, int64_t rows, int64_t d) {
    pack_strip<typename WidenElement<T>::type, key_block>(to, from, ld, false, rows, d);
}

inline int64_t packed_heads(const lf_attention_shape& shape) { return shape.heads + int64_t{2} * shape.kv_heads; }

// A page holds, for each key-value head, its keys as [D][LF_PAGE_SIZE] and then its values as [LF_PAGE_SIZE][D].
inline int64_t page_head_elements(const lf_attention_shape& shape) { return int64_t{2} * LF_PAGE_SIZE * shape.head_dim; }

// Keys and values of one head of one sequence, wherever they lie.
template <class T> struct KeyValueSource {
    const lf_attention_shape& shape;
    const T* keys; // of the sequence's first token; values follow at value_offset. Null where pages are used
    int64_t row_stride, value_offset;
    const T* pages;
    const int32_t* table;
    int64_t head;

    // Keys first … first + count − 1 as [D][key_block], values as [key_block][padded(D)]. Lanes beyond count hold anything.
    void load_block(float* key_columns, float* value_rows, int64_t first, int64_t count) const {
        const int64_t d = shape.head_dim, width = padded(d);
        if (keys != nullptr) {
            const T* row = keys + first * row_stride;
            widen_columns(key_columns, row, row_stride, count, d);
            widen_rows(value_rows, row + value_offset, row_stride, count, d);
            return;
        }
        for (int64_t i = 0; i < count; i += LF_PAGE_SIZE) {
            const T* page =
                pages + (table[(first + i) / LF_PAGE_SIZE] * int64_t{shape.kv_heads} + head) * page_head_elements(shape);
            for (int64_t j = 0; j < d; j++) {
                for (int64_t lane = 0; lane < LF_PAGE_SIZE; lane += W)
                    store(key_columns + j * key_block + i + lane, load(page + j * LF_PAGE_SIZE + lane));
            }
            const int64_t rows = count - i < LF_PAGE_SIZE ? count - i : LF_PAGE_SIZE;
            widen_rows(value_rows + i * width, page + LF_PAGE_SIZE * d, d, rows, d);
        }
    }

    // The page of a key, of this head.
    const T* page_of(int64_t key) const {
        return pages + (table[key / LF_PAGE_SIZE] * int64_t{shape.kv_heads} + head) * page_head_elements(shape);
    }
};
