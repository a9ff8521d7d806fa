// The optimiser's update in one pass over memory, and the norm for clipping; the contract is src/Luffy.Kernels/Ops/AdamW.cs.

// One range of weights in ascending order. With bf16 storage a weight's f32 value is taken apart as the contract says:
// (bits << 16) + remainder, and +2¹⁶ where v carries the sign that stands for the upper of two ties.
template <class T, class G>
void adamw_range(T* weights, int16_t* remainders, float* m, float* v, const G* gradient, int64_t n, const AdamWCoefficients& c) {
    constexpr bool split = sizeof(T) == sizeof(bf16);
    each_vector(n, [&](int64_t i, auto part) {
        Vector old = load(weights + i, part), second = load(v + i, part);
        if constexpr (split) {
            const Integers tie = shift_right<31>(bits_of(second));
            second = as_floats(exclusive_or(bits_of(second), shift_left<31>(tie)));
            old = as_floats(add(add(bits_of(old), load_halves(remainders + i, part)), shift_left<16>(tie)));
        }
        const Vector g = mul(load(gradient + i, part), broadcast(c.gradient_scale));
        const Vector first_moment = fma(broadcast(c.beta1), load(m + i, part), mul(broadcast(c.one_minus_beta1), g));
        Vector second_moment = fma(broadcast(c.beta2), second, mul(mul(broadcast(c.one_minus_beta2), g), g));
        const Vector denominator = add(sqrt(mul(second_moment, broadcast(c.second_correction))), broadcast(c.epsilon));
        const Vector step = div(mul(first_moment, broadcast(c.first_correction)), denominator);
        const Vector value = fnma(broadcast(c.learning_rate), fma(broadcast(c.weight_decay), old, step), old);
        store(m + i, first_moment, part);
        if constexpr (split) {
            const Integers bits = bits_of(value), upper = shift_right<16>(bits);
            const Integers odd = sub(upper, shift_left<1>(shift_right<1>(upper)));
            const Integers rounded = shift_right<16>(add(bits, add(odd, broadcast(int32_t{0x7FFF}))));
            const Integers remainder = sub(bits, shift_left<16>(rounded));
            const Integers tie = sub(remainder, shift_right_signed<16>(shift_left<16>(remainder))); // 2¹⁶ or 0
            const Mask number = equal(value, value);
            store_halves(weights + i, select(number, rounded, bit_or(upper, broadcast(int32_t{0x40}))), part);
            store_halves(remainders + i, select(number, remainder, broadcast(int32_t{0})), part);
            second_moment =
                as_floats(exclusive_or(bits_of(second_moment), select(number, shift_left<15>(tie), broadcast(int32_t{0}))));
        } else {
            store(weights + i, value, part);
        }
        store(v + i, second_moment, part);
    });
}

// A strip of a packed weight is unpacked into the level-2 cache, updated row by row, and packed again: everything else streams
// through in rows of this many elements.
constexpr int64_t adamw_columns = 1024;
constexpr int64_t adamw_stride = adamw_columns + 64; // no multiple of a page, lest rows share cache sets

inline int16_t* remainders_at(const AdamWArguments& a, int64_t i) { return a.remainders == nullptr ? nullptr : a.remainders + i; }

template <class T, class G> void adamw_panel(const AdamWArguments& a, int64_t panel, T* tile, const AdamWCoefficients& c) {
    using E = ElementOf<T>;
    const int64_t units = units_of<E>(a.columns), first_row = panel * panel_width;
    const int64_t rows = a.rows - first_row < panel_width ? a.rows - first_row : panel_width;
    typename E::Panel* all = static_cast<typename E::Panel*>(a.weights);
    for (int64_t column = 0; column < a.columns; column += adamw_columns) {
        const int64_t columns = a.columns - column < adamw_columns ? a.columns - column : adamw_columns;
        for (int64_t group = 0; group < rows; group += W) {
            for (int64_t unit = 0; unit * E::step < columns; unit += W) {
                Vector lines[W];
                read_packed_lines(lines, all, units, first_row + group, column / E::step + unit);
                const int64_t left = columns - unit * E::step;
                const int elements = static_cast<int>(left < W * E::step ? left : W * E::step);
                for (int64_t r = group; r < rows && r < group + W; r++)
                    E::store_units(tile + r * adamw_stride + unit * E::step, lines[r - group], elements);
            }
        }
        typename E::Panel* strip = all + panel * units * panel_width + column / E::step * panel_width;
        const int64_t strip_bytes = units_of<E>(columns) * panel_width * static_cast<int64_t>(sizeof(typename E::Panel));
        for (int64_t r = 0; r < rows; r++) {
            // The strip that follows in memory is the next, and nobody else would fetch it in time.
            for (int64_t byte = strip_bytes * r / rows / 64 * 64; byte < strip_bytes * (r + 1) / rows; byte += 64)
                __builtin_prefetch(reinterpret_cast<const char*>(strip) + strip_bytes + byte, 1, 2);
            const int64_t at = (first_row + r) * a.columns + column;
            adamw_range(tile + r * adamw_stride, remainders_at(a, at), a.m + at, a.v + at, static_cast<const G*>(a.gradient) + at,
                        columns, c);
        }
        pack_strip<E, panel_width>(strip, tile, adamw_stride, false, rows, columns);
    }
}

template <class T, class G> void adamw_update(const Runtime& runtime, const AdamWArguments& a, const AdamWCoefficients& c) {
    if (!a.packed) {
        parallel_ranges(runtime, a.columns, 16384, [&](int64_t first, int64_t last) {
            adamw_range(static_cast<T*>(a.weights) + first, remainders_at(a, first), a.m + first, a.v + first,
                        static_cast<const G*>(a.gradient) + first, last - first, c);
        });
        return;
    }
    parallel_ranges(runtime, panels_of(a.rows), 1 + 16384 / (a.columns * panel_width + 1), [&](int64_t first, int64_t last) {
        alignas(64) T tile[panel_width * adamw_stride];
        for (int64_t panel = first; panel < last; panel++) adamw_panel<T, G>(a, panel, tile, c);
    });
}

constexpr int64_t norm_block = 4096;

inline int64_t squared_norm_scratch(int64_t n) {
    return (n + norm_block - 1) / norm_block * static_cast<int64_t>(sizeof(double));
}

// Blocks of a fixed size in f32 lanes, then the blocks in order in f64.
template <class G> void squared_norm(const Runtime& runtime, float* result, const void* x, int64_t n, double* partial) {
    const int64_t blocks = (n + norm_block - 1) / norm_block;
    parallel_ranges(runtime, blocks, 8, [&](int64_t first, int64_t last) {
        for (int64_t b = first; b < last; b++) {
            const G* block = static_cast<const G*>(x) + b * norm_block;
            Vector sum[4] = {zero(), zero(), zero(), zero()};
            int next = 0;
            each_vector(n - b * norm_block < norm_block ? n - b * norm_block : norm_block, [&](int64_t i, auto part) {
                const Vector value = load(block + i, part);
                sum[next] = fma(value, value, sum[next]);
                next = (next + 1) & 3;
            });
            partial[b] = static_cast<double>(sum_lanes(add(add(sum[0], sum[1]), add(sum[2], sum[3]))));
        }
    });
    double total = 0;
    for (int64_t b = 0; b < blocks; b++) total += partial[b];
    *result = static_cast<float>(total);
}
