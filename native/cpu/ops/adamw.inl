// The optimiser's update in one pass over memory, and the norm for clipping; the contract is src/Luffy.Kernels/Ops/AdamW.cs.

// x as bf16 bits in the lower half of each lane, rounded up where its lower half and a random one add up to 2¹⁶.
inline Integers round_randomly(Vector x, Integers random) {
    const Integers bits = bits_of(x);
    return select(equal(x, x), shift_right<16>(add(bits, random)), bit_or(shift_right<16>(bits), broadcast(int32_t{0x40})));
}

template <class P> void store_moments(float* m, float* v, int64_t i, Vector first, Vector second, const int32_t*, P part) {
    store(m + i, first, part);
    store(v + i, second, part);
}
template <class P> void store_moments(bf16* m, bf16* v, int64_t i, Vector first, Vector second, const int32_t* words, P part) {
    const Integers random = load_integers(words + i);
    store_halves(m + i, round_randomly(first, shift_right<16>(shift_left<16>(random))), part);
    store_halves(v + i, round_randomly(second, shift_right<16>(random)), part);
}

// The tensors of an update from some element on. With bf16 storage a weight's f32 value is taken apart as the contract says:
// (bits << 16) + remainder, and +2¹⁶ where v carries the sign that stands for the upper of two ties.
template <class T, class M, class G> struct AdamWRange {
    T* weights;
    int16_t* remainders;
    M *m, *v;
    const G* gradient;
    int64_t first; // index of the element

    AdamWRange beyond(int64_t i) const {
        return {weights + i, remainders == nullptr ? nullptr : remainders + i, m + i, v + i, gradient + i, first + i};
    }
};

// Elements in ascending order; `words` are their random ones, and may be read to the end of a vector.
template <class T, class M, class G>
void adamw_elements(const AdamWRange<T, M, G>& range, int64_t n, const AdamWCoefficients& c, const int32_t* words) {
    constexpr bool split = sizeof(T) == sizeof(bf16);
    T* const weights = range.weights;
    int16_t* const remainders = range.remainders;
    M *const m = range.m, *const v = range.v;
    const G* const gradient = range.gradient;
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
        store_moments(m, v, i, first_moment, second_moment, words, part);
    });
}

template <class T, class M, class G> void adamw_range(const AdamWRange<T, M, G>& range, int64_t n, const AdamWCoefficients& c) {
    if constexpr (sizeof(M) == sizeof(float)) {
        adamw_elements(range, n, c, nullptr);
    } else {
        constexpr int64_t group = 4 * W; // of random words that are drawn together
        alignas(64) int32_t words[group + W] = {};
        for (int64_t i = 0; i < n;) {
            const int64_t element = range.first + i, before = element % group, left = n - i, whole = group - before;
            Integers drawn[4];
            const int32_t counter[3] = {static_cast<int32_t>(element / 4 >> 32), static_cast<int32_t>(c.step),
                                        static_cast<int32_t>(c.step >> 32)};
            philox(drawn, element - before, counter, c.rounding_key);
            for (int j = 0; j < 4; j++) store_integers(words + j * W, drawn[j]);
            adamw_elements(range.beyond(i), left < whole ? left : whole, c, words + before);
            i += whole;
        }
    }
}

// A strip of a packed weight is unpacked into the level-2 cache, updated row by row, and packed again: everything else streams
// through in rows of this many elements.
constexpr int64_t adamw_columns = 1024;
constexpr int64_t adamw_stride = adamw_columns + 64; // no multiple of a page, lest rows share cache sets

// From element i on, whose weight lies there.
template <class T, class M, class G> AdamWRange<T, M, G> adamw_from(const AdamWArguments& a, T* weights, int64_t i) {
    int16_t* const remainders = a.remainders == nullptr ? nullptr : a.remainders + i;
    return {weights, remainders, static_cast<M*>(a.m) + i, static_cast<M*>(a.v) + i, static_cast<const G*>(a.gradient) + i, i};
}

template <class T, class M, class G>
void adamw_panel(const AdamWArguments& a, int64_t panel, T* tile, const AdamWCoefficients& c) {
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
            adamw_range(adamw_from<T, M, G>(a, tile + r * adamw_stride, at), columns, c);
        }
        pack_strip<E, panel_width>(strip, tile, adamw_stride, false, rows, columns);
    }
}

template <class T, class M, class G>
void adamw_update(const Runtime& runtime, const AdamWArguments& a, const AdamWCoefficients& c) {
    if (!a.packed) {
        parallel_ranges(runtime, a.columns, 16384, [&](int64_t first, int64_t last) {
            adamw_range(adamw_from<T, M, G>(a, static_cast<T*>(a.weights) + first, first), last - first, c);
        });
        return;
    }
    parallel_ranges(runtime, panels_of(a.rows), 1 + 16384 / (a.columns * panel_width + 1), [&](int64_t first, int64_t last) {
        alignas(64) T tile[panel_width * adamw_stride];
        for (int64_t panel = first; panel < last; panel++) adamw_panel<T, M, G>(a, panel, tile, c);
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
