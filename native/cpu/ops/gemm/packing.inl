// How operands of a matrix product lie in memory for the micro-kernel: units of k (one f32, or a pair of bf16) ascending, and for
// each unit the lines (rows of A, columns of B) side by side.

// 2 vectors x 14 rows of accumulators, 2 of B, 1 of A: 31 of 32 registers; with 16 registers 2 x 6.
constexpr int panel_width = 2 * W;
constexpr int tile_rows = W == 16 ? 14 : 6;

template <class E> constexpr int64_t units_of(int64_t elements) { return (elements + E::step - 1) / E::step; }
constexpr int64_t panels_of(int64_t columns) { return (columns + panel_width - 1) / panel_width; }
constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// out[unit][pitch] = `lines` (1 … W) lines of `elements` values that lie side by side: value k of line i at from[k·ld + i]. Lanes
// beyond `lines` are zero; vectors are stored whole, so up to W − pitch lanes beyond the last unit are written too.
template <class E, class Out>
void pack_columns(Out* out, int64_t pitch, const typename E::Storage* from, int64_t ld, int64_t lines, int64_t elements) {
    const int64_t units = units_of<E>(elements);
    const auto copy = [&](auto part) {
        for (int64_t u = 0; u < units; u++) {
            const typename E::Storage* low = from + u * E::step * ld;
            const bool has_high = u * E::step + 1 < elements;
            store(out + u * pitch, E::load_column(low, has_high ? low + ld : nullptr, part));
        }
    };
    if (lines >= W)
        copy(Full{});
    else
        copy(Part{static_cast<int>(lines)});
}

// The same of lines that follow each other: value k of line i at from[i·ld + k].
template <class E, class Out>
void pack_rows(Out* out, int64_t pitch, const typename E::Storage* from, int64_t ld, int64_t lines, int64_t elements) {
    const int64_t units = units_of<E>(elements);
    for (int64_t u = 0; u < units; u += W) {
        const int take = static_cast<int>(smaller(elements - u * E::step, W * E::step));
        const int64_t valid = smaller(units - u, W);
        Vector rows[W];
        for (int i = 0; i < W; i++) rows[i] = i < lines ? E::load_units(from + i * ld + u * E::step, take) : zero();
        transpose(rows);
        for (int64_t i = 0; i < valid; i++) store(out + (u + i) * pitch, rows[i]);
    }
}

// The same, untransposed: out[units / W][lines][W].
template <class E, class Out>
void pack_rows_in_order(Out* out, const typename E::Storage* from, int64_t ld, int64_t lines, int64_t elements) {
    constexpr int64_t step = W * E::step;
    for (int64_t i = 0; i < lines; i++) {
        const typename E::Storage* line = from + i * ld;
        Out* to = out + i * W;
        int64_t k = 0;
        for (; k + step <= elements; k += step, to += lines * W) store(to, E::load_units(line + k, step));
        if (k < elements) store(to, E::load_units(line + k, static_cast<int>(elements - k)));
    }
}

// out[unit][Width] = `lines` lines, zeros beyond; `from` points at the first value of the first line.
template <class E, int Width, class Out>
void pack_strip(Out* out, const typename E::Storage* from, int64_t ld, bool k_major, int64_t lines, int64_t elements) {
    const int64_t units = units_of<E>(elements);
    if (k_major && lines >= Width && Width == 2 * W) {
        for (int64_t u = 0; u < units; u++) {
            const typename E::Storage* low = from + u * E::step * ld;
            E::copy_columns(out + u * Width, low, u * E::step + 1 < elements ? low + ld : nullptr);
        }
        return;
    }
    for (int64_t first = 0; first < Width; first += W) {
        const int64_t count = smaller(lines - first, W);
        if (count <= 0) {
            for (int64_t u = 0; u < units; u++) store(out + u * Width + first, zero());
        } else if (k_major) {
            pack_columns<E>(out + first, Width, from + first, ld, count, elements);
        } else {
            pack_rows<E>(out + first, Width, from + first * ld, ld, count, elements);
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
            E::store_lines(out + k / E::step * panel_width + j, panel_width, rows, smaller(lines - k, W));
        }
    }
}

// A rectangle of memory that will be wanted soon, fetched into a cache (3: the level-1 cache, 2: the level-2 cache) a few lines
// at a time while other work goes on.
class Prefetch {
  public:
    Prefetch() = default;
    Prefetch(const void* from, int64_t row_bytes, int64_t rows, int64_t stride)
        : row(static_cast<const char*>(from)), width(row_bytes), left(rows), pitch(stride) {
        // The last line of a row that does not begin with a line.
        if (rows > 1) width += 63;
    }

    int64_t lines() const { return left * (width / 64 + 1); }

    template <int Cache> void advance(int64_t count) {
        while (count > 0 && left > 0) {
            __builtin_prefetch(row + at, 0, Cache);
            count--;
            at += 64;
            if (at < width) continue;
            at = 0;
            row += pitch;
            left--;
        }
    }

  private:
    const char* row = nullptr;
    int64_t width = 0, left = 0, pitch = 0, at = 0;
};
