// C = A·B and C += A·B, the product under every linear layer, the policy loss and their gradients.
//
// Every element of C is one chain over k in ascending order: the accumulators of a block of C stay in registers over a block of
// k, and between blocks of k they pass through memory as f32, which changes no bit. So neither tiling nor threads show in the
// result.
//
// Blocking after Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008): a block of B lies in the
// level-2 cache as panels of panel_width columns; a tile of A of up to tile_rows rows is packed and multiplied with all of them,
// while what comes next is on its way from memory.

constexpr int64_t block_units = 512;      // of k, at most, where sums wait in memory for the next
constexpr int64_t block_columns = 256;    // of a block of B that is block_units long; a shorter one has more
constexpr int64_t block_rows = 512;       // rows whose unfinished sums wait in memory, where C itself cannot hold them
constexpr int64_t group_tiles = 5;        // tiles packed together where rows of A lie side by side, sharing cache lines
constexpr int64_t streamed_units = 32768; // units of panels at a time where few rows leave B to memory's pace
constexpr double alone_work = 2e5;        // multiply-adds that are done before a second thread has begun

constexpr int64_t gemm_workspace_bytes =
    static_cast<int64_t>(sizeof(float)) *
    (block_units * block_columns + group_tiles * block_units * W + W + block_rows * block_columns);

template <class E> struct GemmProblem {
    using Storage = typename E::Storage;
    int64_t m, n, k;
    const Storage* a; // element (i, k) at a[i·lda + k], or at a[k·lda + i] where a_k_major
    int64_t lda;
    bool a_k_major;
    const Storage* b; // element (k, j) at b[j·ldb + k], or at b[k·ldb + j] where b_k_major
    int64_t ldb;
    bool b_k_major;
    const typename E::Panel* packed;           // all of B as panels [n / panel_width][units of k][panel_width], or null
    const typename E::Panel* packed_transpose; // or all of Bᵀ as panels [k / panel_width][units of n][panel_width]
    float* c;                                  // f32 result; or null, and then
    Storage* c_rounded;                        // the result rounded to storage
    int64_t ldc;
    bool accumulate;     // c += rather than =
    const Storage* bias; // [n] or null; added once at the end
};

// One thread's share of a product: rows m0 … m1, columns n0 … n1 (n0 a multiple of panel_width).
template <class E> class GemmRegion {
    using Storage = typename E::Storage;
    using Panel = typename E::Panel;

  public:
    GemmRegion(const GemmProblem<E>& problem, char* workspace)
        : p(problem), b_block(reinterpret_cast<Panel*>(workspace)),
          a_tiles(reinterpret_cast<float*>(workspace) + block_units * block_columns),
          sums(a_tiles + group_tiles * block_units * W + W), all_units(units_of<E>(problem.k)) {}

    void run(int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
        // One tile of rows is packed once for all columns, whatever the length of k.
        const int64_t one_tile =
            p.a_k_major ? all_units * tile_pitch(static_cast<int>(m1 - m0)) : whole_vectors(all_units) * (m1 - m0);
        const bool is_one_tile = p.packed != nullptr && m1 - m0 <= tile_rows && one_tile <= group_tiles * block_units * W;
        // Blocks of k of nearly equal length, each beginning where a panel of lines may begin.
        // Where rows of A lie side by side, both operands are read and packed at once and share the level-2 cache with sums.
        const int64_t longest = p.a_k_major ? block_units / 2 : block_units;
        const int64_t k_blocks = is_one_tile || all_units <= longest ? 1 : (all_units + longest - 1) / longest;
        k_step =
            k_blocks == 1 ? all_units : ((all_units + k_blocks - 1) / k_blocks + panel_width - 1) / panel_width * panel_width;
        // Sums of a rounded result that is not finished within one block of k wait in `sums`, so its rows come in blocks too.
        const bool waits = p.c == nullptr && k_blocks > 1;
        const int64_t row_step = waits ? block_rows : m1 - m0;
        const int64_t length = k_step > 0 ? k_step : 1;
        int64_t columns = block_columns;
        if (is_one_tile)
            columns = n1 - n0;
        else if (p.packed != nullptr && m1 - m0 <= few_rows)
            columns = streamed_units / length;
        else if (!waits)
            columns = block_units * block_columns / length;
        columns = columns / panel_width * panel_width;
        if (columns < 2 * panel_width) columns = 2 * panel_width;
        // Few rows are packed once for all of them.
        const int64_t row_tiles = (m1 - m0 + tile_rows - 1) / tile_rows;
        holds_rows = !is_one_tile && p.packed != nullptr && k_blocks == 1 && m1 - m0 <= few_rows && row_tiles <= group_tiles;
        if (holds_rows) pack_tiles(m0, m1 - m0, row_tiles, 0, row_tiles, 0, all_units);
        const int64_t n_blocks = (n1 - n0 + columns - 1) / columns;
        for (int64_t j = 0; j < n_blocks; j++) {
            const int64_t panels = panels_of(n1 - n0);
            const int64_t from = n0 + panels * j / n_blocks * panel_width;
            const int64_t to = smaller(n0 + panels * (j + 1) / n_blocks * panel_width, n1);
            ahead_b = Prefetch();
            if (p.packed != nullptr && !is_one_tile && k_blocks == 1 && j + 1 < n_blocks)
                ahead_b = Prefetch(
                    p.packed + to * all_units,
                    panels_of(smaller(columns, n1 - to)) * panel_width * all_units * static_cast<int64_t>(sizeof(Panel)), 1, 0);
            for (int64_t m = m0; m < m1; m += row_step) {
                const int64_t rows = smaller(m1 - m, row_step);
                int64_t u = 0;
                do {
                    const int64_t units = smaller(all_units - u, k_step);
                    multiply_block(m, rows, from, to - from, u, units);
                    u += units;
                } while (u < all_units);
            }
        }
    }

  private:
    static constexpr int64_t few_rows = 64;
    static constexpr int64_t element = static_cast<int64_t>(sizeof(Storage));

    int64_t elements_of(int64_t u0, int64_t units) const { return smaller(p.k - u0 * E::step, units * E::step); }

    void multiply_block(int64_t m0, int64_t rows, int64_t n0, int64_t columns, int64_t u0, int64_t units) {
        const int64_t panels = panels_of(columns);
        const Panel* block = b_block;
        int64_t panel_stride = units * panel_width;
        if (p.packed != nullptr) {
            panel_stride = all_units * panel_width;
            block = p.packed + n0 / panel_width * panel_stride + u0 * panel_width;
        } else {
            pack_block(n0, panels, u0, units);
        }
        const int64_t tiles = (rows + tile_rows - 1) / tile_rows, group = p.a_k_major || holds_rows ? group_tiles : 1;
        for (int64_t first = 0; first < tiles; first += group) {
            const int64_t last = smaller(first + group, tiles);
            if (!holds_rows) pack_tiles(m0, rows, tiles, first, last, u0, units);
            if (last < tiles)
                prefetch_tiles(m0, rows, tiles, last, smaller(last + group, tiles), u0, units);
            else if (u0 + units < all_units)
                prefetch_tiles(m0, rows, tiles, 0, smaller(group, tiles), u0 + units, smaller(all_units - u0 - units, k_step));
            const int64_t share = ahead_a.lines() / (panels * (last - first)) + 1,
                          share_b = ahead_b.lines() / (panels * tiles) + 1;
            for (int64_t t = first; t < last; t++) {
                const int64_t top = rows * t / tiles;
                const int count = static_cast<int>(rows * (t + 1) / tiles - top), together = panels_at_once(count);
                const TileKernel<E> one = tile_kernel(count, false), several = tile_kernel(count, true);
                for (int64_t j = 0; j < panels;) {
                    const bool wide = j + together <= panels;
                    const int64_t now = wide ? together : 1;
                    ahead_a.advance<2>(share * now);
                    ahead_b.advance<2>(share_b * now);
                    const Place place{m0 + top, n0 + j * panel_width, top, j * panel_width, now * panel_width};
                    multiply(wide ? several : one, place, count, a_tiles + (t - first) * tile_size(units),
                             block + j * panel_stride, panel_stride, units, u0 == 0, u0 + units == all_units);
                    j += now;
                }
            }
        }
    }

    static int64_t whole_vectors(int64_t units) { return (units + W - 1) / W * W; }
    static int64_t tile_size(int64_t units) { return whole_vectors(units) * W; }

    TileKernel<E> tile_kernel(int rows, bool several) const {
        return p.a_k_major ? TileKernels<E, TileOrder::units, tile_rows>::find(rows, several)
                           : TileKernels<E, TileOrder::rows, tile_rows>::find(rows, several);
    }

    void pack_block(int64_t n0, int64_t panels, int64_t u0, int64_t units) {
        const int64_t k0 = u0 * E::step, elements = elements_of(u0, units), panel_stride = units * panel_width;
        if (p.packed_transpose != nullptr) {
            for (int64_t j = 0; j < panels; j++)
                transpose_panel<E>(b_block + j * panel_stride, p.packed_transpose, p.n, n0 + j * panel_width, k0, elements);
            return;
        }
        if (!p.b_k_major) {
            for (int64_t j = 0; j < panels; j++) {
                const int64_t n = n0 + j * panel_width;
                pack_strip<E, panel_width>(b_block + j * panel_stride, p.b + n * p.ldb + k0, p.ldb, false, p.n - n, elements);
            }
            return;
        }
        // A few rows at a time across all panels, as they lie in memory.
        for (int64_t k = 0; k < elements; k += strip_elements) {
            const int64_t some = smaller(elements - k, strip_elements);
            Prefetch next(p.b + (k0 + k + strip_elements) * p.ldb + n0, smaller(panels * panel_width, p.n - n0) * element,
                          smaller(elements - k - some, strip_elements), p.ldb * element);
            const int64_t share = next.lines() / panels + 1;
            for (int64_t j = 0; j < panels; j++) {
                next.advance<3>(share);
                const int64_t n = n0 + j * panel_width;
                pack_strip<E, panel_width>(b_block + j * panel_stride + k / E::step * panel_width, p.b + (k0 + k) * p.ldb + n,
                                           p.ldb, true, p.n - n, some);
            }
        }
    }

    static constexpr int64_t strip_elements = 32;

    void pack_tiles(int64_t m0, int64_t rows, int64_t tiles, int64_t first, int64_t last, int64_t u0, int64_t units) {
        const int64_t k0 = u0 * E::step, elements = elements_of(u0, units);
        const int64_t step = p.a_k_major ? 2 * strip_elements : elements;
        const int64_t top = m0 + rows * first / tiles, width = m0 + rows * last / tiles - top;
        for (int64_t k = 0; k < elements; k += step) {
            if (p.a_k_major)
                Prefetch(p.a + (k0 + k + step) * p.lda + top, width * element, smaller(elements - k - step, step),
                         p.lda * element)
                    .advance<3>(8 * step);
            for (int64_t t = first; t < last; t++) {
                const int64_t m = m0 + rows * t / tiles, count = m0 + rows * (t + 1) / tiles - m;
                float* tile = a_tiles + (t - first) * tile_size(units);
                if (!p.a_k_major) {
                    pack_rows_in_order<E>(tile, p.a + m * p.lda + k0, p.lda, count, elements);
                    continue;
                }
                const int pitch = tile_pitch(static_cast<int>(count));
                pack_columns<E>(tile + k / E::step * pitch, pitch, p.a + (k0 + k) * p.lda + m, p.lda,
                                pitch == W ? smaller(p.m - m, W) : count, smaller(elements - k, step));
            }
        }
    }

    void prefetch_tiles(int64_t m0, int64_t rows, int64_t tiles, int64_t first, int64_t last, int64_t u0, int64_t units) {
        const int64_t m = m0 + rows * first / tiles, count = m0 + rows * last / tiles - m;
        const int64_t k0 = u0 * E::step, elements = elements_of(u0, units);
        ahead_a = p.a_k_major ? Prefetch(p.a + k0 * p.lda + m, count * element, elements, p.lda * element)
                              : Prefetch(p.a + m * p.lda + k0, elements * element, count, p.lda * element);
    }

    struct Place {
        int64_t row, column;             // in C
        int64_t block_row, block_column; // in `sums`
        int64_t width;
    };

    void multiply(TileKernel<E> kernel, const Place& at, int rows, const float* tile, const Panel* panel, int64_t panel_stride,
                  int64_t units, bool is_first, bool is_last) {
        const int64_t valid = smaller(p.n - at.column, at.width);
        TileProduct<E> product{units, tile, panel, panel_stride, nullptr, 0, !is_first || p.accumulate, nullptr, 0, nullptr};
        float* c = p.c != nullptr ? p.c + at.row * p.ldc + at.column : sums + at.block_row * block_columns + at.block_column;
        const int64_t ldc = p.c != nullptr ? p.ldc : block_columns;
        if (valid == at.width) {
            product.c = c;
            product.ldc = ldc;
            if (is_last && p.bias != nullptr) product.bias = p.bias + at.column;
            if (is_last && p.c == nullptr) {
                product.rounded = p.c_rounded + at.row * p.ldc + at.column;
                product.ld_rounded = p.ldc;
            }
            // The sums of the next columns, which the next call reads first thing.
            if (product.from_c) {
                for (int r = 0; r < rows; r++)
                    for (int64_t i = 0; i < at.width; i += 16) __builtin_prefetch(c + r * ldc + at.width + i, 1);
            }
            kernel(product);
            return;
        }
        // Columns beyond the last are worked out aside; unfinished sums of a rounded result have room for them.
        product.c = p.c != nullptr || is_last ? edge : c;
        product.ldc = product.c == edge ? at.width : ldc;
        if (product.from_c && product.c == edge) copy_tile(edge, at.width, c, ldc, rows, p.c != nullptr ? valid : at.width);
        kernel(product);
        if (product.c != edge) return;
        if (p.c != nullptr)
            finish(c, rows, at, valid, is_last);
        else
            finish(p.c_rounded + at.row * p.ldc + at.column, rows, at, valid, is_last);
    }

    static void copy_tile(float* to, int64_t to_ld, const float* from, int64_t from_ld, int rows, int64_t width) {
        for (int r = 0; r < rows; r++)
            each_vector(width,
                        [&](int64_t i, auto part) { store(to + r * to_ld + i, load(from + r * from_ld + i, part), part); });
    }

    // to = edge + bias, rounded to what `to` stores.
    template <class Out> void finish(Out* to, int rows, const Place& at, int64_t width, bool is_last) const {
        for (int r = 0; r < rows; r++) {
            each_vector(width, [&](int64_t i, auto part) {
                Vector x = load(edge + r * at.width + i, part);
                if (is_last && p.bias != nullptr) x = add(x, load(p.bias + at.column + i, part));
                store(to + r * p.ldc + i, x, part);
            });
        }
    }

    const GemmProblem<E>& p;
    Panel* b_block;
    float* a_tiles;
    float* sums;
    int64_t all_units, k_step = 0;
    bool holds_rows = false; // all of A's rows are packed already
    Prefetch ahead_a, ahead_b;
    alignas(64) float edge[tile_rows * panel_width]; // tile_rows x one panel, or few rows x several: never more
};

// Splits C among the threads, in rows and in columns.
template <class E> void gemm(const Runtime& runtime, const GemmProblem<E>& problem) {
    if (problem.m <= 0 || problem.n <= 0) return;
    const int64_t tiles = (problem.m + tile_rows - 1) / tile_rows, panels = panels_of(problem.n);
    const double work = static_cast<double>(problem.m) * static_cast<double>(problem.n) * static_cast<double>(problem.k);
    // Shares that are worth it are cut finer than there are threads: one that the system interrupts then holds up the others
    // less.
    int64_t most = static_cast<int64_t>(work / 1e7);
    if (most < runtime.threads) most = runtime.threads;
    if (most > int64_t{8} * runtime.threads) most = int64_t{8} * runtime.threads;
    if (runtime.threads == 1 || work < alone_work) most = 1;
    // The grid that is done first, counting what each share packs for itself; measured costs, in units of one multiply-add of a
    // whole vector.
    const double cost_a = problem.a_k_major ? 1.1 : 0.3;
    const double cost_b = problem.packed != nullptr ? 0.0 : problem.packed_transpose != nullptr ? 3.0 : 1.9;
    int64_t grid_rows = 1, grid_columns = 1;
    double best = 0;
    for (int64_t columns = 1; columns <= most && columns <= panels; columns++) {
        for (int64_t rows = 1; rows * columns <= most && rows <= tiles; rows++) {
            const double height = static_cast<double>((tiles + rows - 1) / rows) * tile_rows;
            const double width = static_cast<double>((panels + columns - 1) / columns) * panel_width;
            const double together = problem.a_k_major ? 2 * block_columns : block_columns;
            const double blocks = width <= together ? 1 : width / together;
            const double share = height * width / W + height * cost_a * blocks + width * cost_b;
            const double cost = share * static_cast<double>((rows * columns + runtime.threads - 1) / runtime.threads) *
                                (1 + 0.04 * runtime.threads / static_cast<double>(rows * columns));
            if (best > 0 && cost >= best) continue;
            best = cost;
            grid_rows = rows;
            grid_columns = columns;
        }
    }
    parallel(runtime, grid_rows * grid_columns, [&](int64_t task, char* workspace) {
        const int64_t i = task / grid_columns, j = task % grid_columns;
        const int64_t n1 = panels * (j + 1) / grid_columns * panel_width;
        GemmRegion<E>(problem, workspace)
            .run(problem.m * i / grid_rows, problem.m * (i + 1) / grid_rows, panels * j / grid_columns * panel_width,
                 n1 < problem.n ? n1 : problem.n);
    });
}
