// How a matrix product reads its operands. A "unit" is one 32-bit lane of a packed tile: one f32 element, or a pair of bf16
// elements where the processor multiplies pairs.

struct F32Element {
    using Storage = float;
    using Panel = float;           // element of a packed B panel
    static constexpr int step = 1; // elements of a unit
    static constexpr int dtype = LF_F32;
    static Vector multiply_add(Vector a, Vector b, Vector c) { return fma(a, b, c); }
    // Lane i = unit i of p; zero beyond `elements`.
    static Vector load_units(const float* p, int elements) { return elements >= W ? load(p) : load(p, Part{elements}); }
    static void store_units(float* p, Vector x, int elements) {
        if (elements >= W)
            store(p, x);
        else
            store(p, x, Part{elements});
    }
    // Lane i = unit (low[i], high[i]).
    template <class P> static Vector load_column(const float* low, const float*, P part) { return load(low, part); }
    // The same of 2·W lanes, to memory.
    template <class Out> static void copy_columns(Out* out, const float* low, const float*) {
        store(out, load(low));
        store(out + W, load(low + W));
    }
    // W lines of W elements to W units of a panel, `width` apart; the first `lines` of them.
    static void store_lines(float* panel, int64_t width, const Vector (&rows)[W], int64_t lines) {
        for (int64_t i = 0; i < lines; i++) store(panel + i * width, rows[i]);
    }
    // The lanes of x as neighbouring elements, W / step units at `to`.
    static void store_elements(float* to, Vector x) { store(to, x); }
};

// bf16 storage, f32 arithmetic.
struct WidenedElement {
    using Storage = bf16;
    using Panel = bf16;
    static constexpr int step = 1;
    static constexpr int dtype = LF_BF16;
    static Vector multiply_add(Vector a, Vector b, Vector c) { return fma(a, b, c); }
    static Vector load_units(const bf16* p, int elements) { return elements >= W ? load(p) : load(p, Part{elements}); }
    static void store_units(bf16* p, Vector x, int elements) {
        if (elements >= W)
            store(p, x);
        else
            store(p, x, Part{elements});
    }
    template <class P> static Vector load_column(const bf16* low, const bf16*, P part) { return load(low, part); }
    // The same of 2·W lanes, to memory.
    template <class Out> static void copy_columns(Out* out, const bf16* low, const bf16*) {
        store(out, load(low));
        store(out + W, load(low + W));
    }
    static void store_lines(bf16* panel, int64_t width, const Vector (&rows)[W], int64_t lines) {
        for (int64_t i = 0; i < lines; i++) store(panel + i * width, rows[i]);
    }
    static void store_elements(float* to, Vector x) { store(to, x); }
};

#if defined(__AVX512BF16__)
// Pairs of bf16 and VDPBF16PS. An odd last element pairs with zero.
struct PairElement {
    using Storage = bf16;
    using Panel = float; // the bits of a pair
    static constexpr int step = 2;
    static constexpr int dtype = LF_BF16;
    static Vector multiply_add(Vector a, Vector b, Vector c) {
        return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
    }
    static Vector load_units(const bf16* p, int elements) { return load_pairs(p, elements); }
    template <class P> static Vector load_column(const bf16* low, const bf16* high, P part) {
        return interleave(low, high, part);
    }
    template <class Out> static void copy_columns(Out* out, const bf16* low, const bf16* high) {
        const Vector a = load_pairs(low, 2 * W), b = high == nullptr ? zero() : load_pairs(high, 2 * W);
        store(out, interleave_low(a, b));
        store(out + W, interleave_high(a, b));
    }
    static void store_units(bf16* p, Vector x, int elements) { store_pairs(p, x, elements); }
    // W lines of 2·W elements to W / 2 units of 2·W columns.
    static void store_lines(float* panel, int64_t width, const Vector (&rows)[W], int64_t lines) {
        for (int64_t i = 0; i < lines; i += 2) {
            store(panel + i / 2 * width, interleave_low(rows[i], rows[i + 1]));
            store(panel + i / 2 * width + W, interleave_high(rows[i], rows[i + 1]));
        }
    }
    static void store_elements(float* to, Vector x) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
    }
    // Lane i = (even[i], odd[i]).
    static Vector join(Vector even, Vector odd) {
        const __m512i halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
        const __m512i order = _mm512_or_si512(lanes(), shift_left<16>(add(lanes(), broadcast(int32_t{16}))));
        return as_floats(_mm512_permutexvar_epi16(order, halves));
    }
    // (low, high) becomes (low, 0).
    static Vector first_of_pair(Vector x) { return as_floats(shift_right<16>(shift_left<16>(bits_of(x)))); }
};
using Bf16Element = PairElement;
#else
using Bf16Element = WidenedElement;
#endif

template <class Storage> struct ElementOfStorage;
template <> struct ElementOfStorage<float> { using type = F32Element; };
template <> struct ElementOfStorage<bf16> { using type = Bf16Element; };
template <class Storage> using ElementOf = typename ElementOfStorage<Storage>::type;
