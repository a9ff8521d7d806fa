// Products of small tiles as f32, of the backward pass.

template <class T> struct WidenElement;
template <> struct WidenElement<float> { using type = F32Element; };
template <> struct WidenElement<bf16> { using type = WidenedElement; };

// c[r][V·W] (+)= Σ_k a[r·a_row + k·a_k] · b[k][V·W], k ascending.
template <int R, int V, class B>
inline void product_multiply_rows(float* c, int64_t ldc, const float* a, int64_t a_row, int64_t a_k, const B* b, int64_t ldb,
                                  int64_t k, bool from_c) {
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
inline void product_multiply_columns(float* c, int64_t ldc, const float* a, int64_t a_row, int64_t a_k, const B* b, int64_t ldb,
                                     int64_t n, int64_t k, bool from_c) {
    int64_t j = 0;
    // Few rows leave registers for more columns, and a multiply-add must not wait for the one before.
    constexpr int wide = W == 16 && R <= 4 ? 4 : 2;
    for (; j + wide * W <= n; j += wide * W) product_multiply_rows<R, wide>(c + j, ldc, a, a_row, a_k, b + j, ldb, k, from_c);
    if (wide > 2 && j + 2 * W <= n) {
        product_multiply_rows<R, 2>(c + j, ldc, a, a_row, a_k, b + j, ldb, k, from_c);
        j += 2 * W;
    }
    if (j < n) product_multiply_rows<R, 1>(c + j, ldc, a, a_row, a_k, b + j, ldb, k, from_c);
}

constexpr int product_rows_at_once = W == 16 ? 8 : 4;

// Calls body(first, ProductRows<R>) for groups of rows that cover 0 … rows − 1.
template <int R> struct ProductRows { static constexpr int count = R; };
template <class Body> inline void each_product_rows(int64_t rows, const Body& body) {
    int64_t i = 0;
    for (; i + product_rows_at_once <= rows; i += product_rows_at_once) body(i, ProductRows<product_rows_at_once>{});
    if (product_rows_at_once > 4 && i + 4 <= rows) {
        body(i, ProductRows<4>{});
        i += 4;
    }
    if (i + 2 <= rows) {
        body(i, ProductRows<2>{});
        i += 2;
    }
    if (i < rows) body(i, ProductRows<1>{});
}

// c[m][n] (+)= a · b for any m and k, n whole vectors; element (i, k) of a at a[i·a_row + k·a_k].
template <class B>
inline void multiply_small(float* c, int64_t ldc, const float* a, int64_t a_row, int64_t a_k, const B* b, int64_t ldb, int64_t m,
                           int64_t n, int64_t k, bool from_c) {
    each_product_rows(m, [&](int64_t i, auto rows) {
        product_multiply_columns<decltype(rows)::count>(c + i * ldc, ldc, a + i * a_row, a_row, a_k, b, ldb, n, k, from_c);
    });
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
