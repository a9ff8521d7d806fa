// C = A·B and C += A·B, the product under every linear layer, the policy loss and their gradients.
//
// Every element of C is one chain over k in ascending order: the accumulators of a block of C stay in registers over a block of
// k, and between blocks of k they pass through memory as f32, which changes no bit. So neither tiling nor threads show in the
// result.
//
// Blocking after Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008): a block of B (block_units x
// block_columns) lies in the level-2 cache as panels of panel_width columns; a tile of A (block_units x up to tile_rows rows)
// lies in the level-1 cache; the micro-kernel multiplies tile and panel.

// 2 vectors x 14 rows of accumulators, 2 of B, 1 of A: 31 of 32 registers; with 16 registers 2 x 6.
constexpr int panel_width = 2 * W;
constexpr int tile_rows = W == 16 ? 14 : 6;
constexpr int tile_stride = W; // a packed tile of A is [unit][tile_stride]
constexpr int64_t block_units = 512;
constexpr int64_t block_columns = 256;
constexpr int64_t block_rows = 512; // rows whose unfinished sums wait in memory, where C itself cannot hold them

constexpr int64_t gemm_workspace_bytes =
    static_cast<int64_t>(sizeof(float)) * (block_units * block_columns + block_units * tile_stride + block_rows * block_columns);

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

template <class E> constexpr int64_t units_of(int64_t elements) { return (elements + E::step - 1) / E::step; }
constexpr int64_t panels_of(int64_t columns) { return (columns + panel_width - 1) / panel_width; }

// out[unit][Width] = `count` lines (rows of A or columns of B) of `elements` values; lines beyond count are zero. `line` points
// at the first value of the first line.
template <class E, int Width, class Out>
void pack_strip(Out* out, const typename E::Storage* line, int64_t ld, bool k_major, int64_t count, int64_t elements) {
    const int64_t units = units_of<E>(elements);
    for (int first = 0; first < Width; first += W) {
        const int lines = static_cast<int>(count - first < W ? count - first : W);
        if (lines <= 0) {
            for (int64_t u = 0; u < units; u++) store(out + u * Width + first, zero());
        } else if (k_major) {
            const auto copy = [&](auto part) {
                for (int64_t u = 0; u < units; u++) {
                    const typename E::Storage* low = line + u * E::step * ld + first;
                    const bool has_high = u * E::step + 1 < elements;
                    store(out + u * Width + first, E::load_column(low, has_high ? low + ld : nullptr, part));
                }
            };
            if (lines == W)
                copy(Full{});
            else
                copy(Part{lines});
        } else {
            for (int64_t u = 0; u < units; u += W) {
                Vector rows[W];
                const int64_t left = elements - u * E::step;
                const int take = static_cast<int>(left < W * E::step ? left : W * E::step);
                for (int i = 0; i < W; i++)
                    rows[i] = i < lines ? E::load_units(line + (first + i) * ld + u * E::step, take) : zero();
                transpose(rows);
                const int64_t valid = units - u < W ? units - u : W;
                for (int64_t i = 0; i < valid; i++) store(out + (u + i) * Width + first, rows[i]);
            }
        }
    }
}

// W lines (from `line` on, a multiple of W) of W units (from `unit` on) of a matrix that is packed as panels of lines; lane i of
// lines[j] is unit i of line j. Units beyond `units` are zero.
template <class Panel>
void read_packed_lines(Vector (&lines)[W], const Panel* packed, int64_t units, int64_t line, int64_t unit) {
    const Panel* from = packed + (line / panel_width * units + unit) * panel_width + line % panel_width;
    for (int64_t i = 0; i < W; i++) lines[i] = unit + i < units ? load(from + i * panel_width) : zero();
    transpose(lines);
}

// One panel of B out of the packed panels of Bᵀ: out[unit][panel_width] = columns column … of elements k0 … (multiples of
// panel_width) of the reduction; `columns` is the width of all of B.
template <class E>
void transpose_panel(typename E::Panel* out, const typename E::Panel* packed_transpose, int64_t columns, int64_t column,
                     int64_t k0, int64_t elements) {
    const int64_t lines = units_of<E>(elements) * E::step;
    for (int64_t k = 0; k < lines; k += W) {
        for (int64_t j = 0; j < panel_width; j += W * E::step) {
            Vector rows[W];
            read_packed_lines(rows, packed_transpose, units_of<E>(columns), k0 + k, (column + j) / E::step);
            E::store_lines(out + k / E::step * panel_width + j, panel_width, rows, lines - k < W ? lines - k : W);
        }
    }
}

// c[R][P·panel_width] (+)= tile · P neighbouring panels.
template <class E, int R, int P>
void multiply_tile(int64_t units, const float* tile, const typename E::Panel* panel, int64_t panel_stride, float* c, int64_t ldc,
                   bool from_c) {
    Vector sum[R][2 * P];
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < 2 * P; v++) sum[r][v] = from_c ? load(c + r * ldc + v * W) : zero();
    }
    for (int64_t u = 0; u < units; u++) {
        Vector b[2 * P];
#pragma GCC unroll 8
        for (int v = 0; v < 2 * P; v++) b[v] = load(panel + (v / 2) * panel_stride + u * panel_width + (v % 2) * W);
#pragma GCC unroll 14
        for (int r = 0; r < R; r++) {
            const Vector a = broadcast(tile[u * tile_stride + r]);
#pragma GCC unroll 8
            for (int v = 0; v < 2 * P; v++) sum[r][v] = E::multiply_add(a, b[v], sum[r][v]);
        }
    }
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (int v = 0; v < 2 * P; v++) store(c + r * ldc + v * W, sum[r][v]);
    }
}

// Panels side by side: few rows leave registers for more of them, and a fused multiply-add must not wait for the one before.
constexpr int panels_at_once(int rows) {
    if (W == 16) return rows <= 3 ? 4 : rows <= 6 ? 2 : 1;
    return rows <= 1 ? 4 : rows <= 3 ? 2 : 1;
}

template <class E> using TileKernel = void (*)(int64_t, const float*, const typename E::Panel*, int64_t, float*, int64_t, bool);

// [0]: one panel; [1]: panels_at_once.
template <class E, int R> struct TileKernels {
    static TileKernel<E> find(int rows, bool several) {
        if (rows != R) return TileKernels<E, R - 1>::find(rows, several);
        return several ? multiply_tile<E, R, panels_at_once(R)> : multiply_tile<E, R, 1>;
    }
};
template <class E> struct TileKernels<E, 0> {
    static TileKernel<E> find(int, bool) { return nullptr; }
};

// One thread's share of a product: rows m0 … m1, columns n0 … n1 (n0 a multiple of panel_width).
template <class E> class GemmRegion {
  public:
    GemmRegion(const GemmProblem<E>& problem, char* workspace)
        : p(problem), b_block(reinterpret_cast<typename E::Panel*>(workspace)),
          a_tile(reinterpret_cast<float*>(workspace) + block_units * block_columns), sums(a_tile + block_units * tile_stride),
          all_units(units_of<E>(problem.k)) {}

    void run(int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
        // Sums of a rounded result that is not finished within one block of k wait in `sums`, so its rows come in blocks too.
        const bool waits = p.c == nullptr && all_units > block_units;
        const int64_t row_step = waits ? block_rows : m1 - m0;
        // Packed columns take no workspace: as many of a short reduction as a block holds.
        int64_t step = block_columns;
        if (p.packed != nullptr && !waits && all_units < block_units) step *= block_units / (all_units > 0 ? all_units : 1);
        for (int64_t n = n0; n < n1; n += step) {
            const int64_t columns = n1 - n < step ? n1 - n : step;
            for (int64_t m = m0; m < m1; m += row_step) {
                const int64_t rows = m1 - m < row_step ? m1 - m : row_step;
                int64_t u = 0;
                do {
                    const int64_t units = all_units - u < block_units ? all_units - u : block_units;
                    multiply_block(m, rows, n, columns, u, units);
                    u += units;
                } while (u < all_units);
            }
        }
    }

  private:
    void multiply_block(int64_t m0, int64_t rows, int64_t n0, int64_t columns, int64_t u0, int64_t units) {
        const int64_t k0 = u0 * E::step;
        const int64_t elements = p.k - k0 < units * E::step ? p.k - k0 : units * E::step;
        const int64_t panels = panels_of(columns);
        const typename E::Panel* block = b_block;
        int64_t panel_stride = units * panel_width;
        if (p.packed != nullptr) {
            panel_stride = all_units * panel_width;
            block = p.packed + n0 / panel_width * panel_stride + u0 * panel_width;
        } else {
            for (int64_t j = 0; j < panels; j++) {
                const int64_t n = n0 + j * panel_width;
                if (p.packed_transpose != nullptr) {
                    transpose_panel<E>(b_block + j * panel_stride, p.packed_transpose, p.n, n, k0, elements);
                    continue;
                }
                const typename E::Storage* line = p.b_k_major ? p.b + k0 * p.ldb + n : p.b + n * p.ldb + k0;
                pack_strip<E, panel_width>(b_block + j * panel_stride, line, p.ldb, p.b_k_major, p.n - n, elements);
            }
        }

        const int64_t tiles = (rows + tile_rows - 1) / tile_rows;
        for (int64_t t = 0; t < tiles; t++) {
            // Tiles of nearly equal height: a last one of a single row would waste the multipliers.
            const int64_t first = rows * t / tiles, height = rows * (t + 1) / tiles - first, m = m0 + first;
            const typename E::Storage* line = p.a_k_major ? p.a + k0 * p.lda + m : p.a + m * p.lda + k0;
            pack_strip<E, tile_stride>(a_tile, line, p.lda, p.a_k_major, height, elements);
            const int count = static_cast<int>(height);
            const int together = panels_at_once(count);
            const TileKernel<E> one = TileKernels<E, tile_rows>::find(count, false);
            const TileKernel<E> several = TileKernels<E, tile_rows>::find(count, true);
            for (int64_t j = 0; j < panels;) {
                const bool wide = j + together <= panels;
                const Place place{m, n0 + j * panel_width, first, j * panel_width, (wide ? together : 1) * panel_width};
                multiply(wide ? several : one, place, count, block + j * panel_stride, panel_stride, units, u0 == 0,
                         u0 + units == all_units);
                j += wide ? together : 1;
            }
        }
    }

    struct Place {
        int64_t row, column;             // in C
        int64_t block_row, block_column; // in `sums`
        int64_t width;
    };

    void multiply(TileKernel<E> kernel, const Place& at, int rows, const typename E::Panel* panel, int64_t panel_stride,
                  int64_t units, bool is_first, bool is_last) {
        const int64_t valid = p.n - at.column < at.width ? p.n - at.column : at.width;
        if (p.c != nullptr && valid == at.width) {
            float* c = p.c + at.row * p.ldc + at.column;
            kernel(units, a_tile, panel, panel_stride, c, p.ldc, !is_first || p.accumulate);
            if (is_last && p.bias != nullptr) finish(c, p.ldc, c, rows, at.column, valid);
            return;
        }
        if (p.c != nullptr) {
            float* c = p.c + at.row * p.ldc + at.column;
            const bool from_c = !is_first || p.accumulate;
            if (from_c) copy_tile(edge, at.width, c, p.ldc, rows, valid);
            kernel(units, a_tile, panel, panel_stride, edge, at.width, from_c);
            if (is_last && p.bias != nullptr)
                finish(edge, at.width, c, rows, at.column, valid);
            else
                copy_tile(c, p.ldc, edge, at.width, rows, valid);
            return;
        }
        const bool whole = is_first && is_last;
        float* c = whole ? edge : sums + at.block_row * block_columns + at.block_column;
        const int64_t ld = whole ? at.width : block_columns;
        kernel(units, a_tile, panel, panel_stride, c, ld, !is_first);
        if (is_last) finish(c, ld, p.c_rounded + at.row * p.ldc + at.column, rows, at.column, valid);
    }

    static void copy_tile(float* to, int64_t to_ld, const float* from, int64_t from_ld, int rows, int64_t width) {
        for (int r = 0; r < rows; r++)
            each_vector(width,
                        [&](int64_t i, auto part) { store(to + r * to_ld + i, load(from + r * from_ld + i, part), part); });
    }

    // to = from + bias, rounded to what `to` stores.
    template <class Out> void finish(const float* from, int64_t from_ld, Out* to, int rows, int64_t column, int64_t width) const {
        for (int r = 0; r < rows; r++) {
            each_vector(width, [&](int64_t i, auto part) {
                Vector x = load(from + r * from_ld + i, part);
                if (p.bias != nullptr) x = add(x, load(p.bias + column + i, part));
                store(to + r * p.ldc + i, x, part);
            });
        }
    }

    const GemmProblem<E>& p;
    typename E::Panel* b_block;
    float* a_tile;
    float* sums;
    int64_t all_units;
    alignas(64) float edge[tile_rows * panel_width]; // tile_rows x one panel, or few rows x several: never more
};

// Splits C among the threads, in rows and in columns.
template <class E> void gemm(const Runtime& runtime, const GemmProblem<E>& problem) {
    if (problem.m <= 0 || problem.n <= 0) return;
    const int64_t tiles = (problem.m + tile_rows - 1) / tile_rows, panels = panels_of(problem.n);
    // Shares that are worth it are cut finer than there are threads: one that the system interrupts then holds up the others
    // less.
    const double work = static_cast<double>(problem.m) * static_cast<double>(problem.n) * static_cast<double>(problem.k);
    const double worth = work / (2e7 * runtime.threads);
    const int64_t shares = runtime.threads == 1 ? 1
                                                : runtime.threads * static_cast<int64_t>(worth < 1   ? 1
                                                                                         : worth > 4 ? 4
                                                                                                     : worth);
    // The grid whose largest share is smallest, counting what each share packs for itself; measured costs, in units of one
    // multiply-add of a whole vector.
    int64_t grid_rows = 1, grid_columns = 1;
    double best = 0;
    for (int64_t columns = 1; columns <= shares && columns <= panels; columns++) {
        const int64_t rows = shares / columns < tiles ? shares / columns : tiles;
        const double height = static_cast<double>((tiles + rows - 1) / rows) * tile_rows;
        const double width = static_cast<double>((panels + columns - 1) / columns) * panel_width;
        const double cost = height * width / W + (problem.packed == nullptr ? 0.5 * width : 0.0) +
                            0.3 * height * ((width + block_columns - 1) / block_columns);
        if (columns == 1 || cost < best) {
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
