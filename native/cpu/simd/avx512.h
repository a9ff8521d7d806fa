// Sixteen f32 lanes (AVX-512 F, BW, DQ, VL). Included inside the anonymous namespace of a translation unit built for it.
// The other widths offer the same names, so the kernels are written once; see avx2.h.

constexpr int W = 16;
using Vector = __m512;
using Integers = __m512i;
using Mask = __mmask16;

// A whole vector, or its first `count` lanes (1 … W − 1): the argument that selects between plain and masked memory access.
struct Full {
    static constexpr int count = W;
};
struct Part {
    int count;
    __mmask16 mask() const { return static_cast<__mmask16>((1u << count) - 1u); }
};

inline Vector zero() { return _mm512_setzero_ps(); }
inline Vector broadcast(float x) { return _mm512_set1_ps(x); }
inline Integers broadcast(int32_t x) { return _mm512_set1_epi32(x); }

inline Vector from_bf16_bits(__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); }

// Round to nearest even; NaN stays a quiet NaN.
inline __m256i round_bits(Vector x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
    const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(_mm512_mask_blend_epi32(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), rounded, quiet));
}

inline __m256i to_bf16_bits(Vector x) {
#if defined(__AVX512BF16__)
    // The instruction rounds the same way but flushes subnormals, which hardly ever come.
    if (__builtin_expect(_mm512_fpclass_ps_mask(x, 0x20) == 0, 1)) return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
#endif
    return round_bits(x);
}

inline Vector load(const float* p, Full = {}) { return _mm512_loadu_ps(p); }
inline Vector load(const float* p, Part part) { return _mm512_maskz_loadu_ps(part.mask(), p); }
inline Vector load(const bf16* p, Full = {}) { return from_bf16_bits(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
inline Vector load(const bf16* p, Part part) { return from_bf16_bits(_mm256_maskz_loadu_epi16(part.mask(), p)); }

inline void store(float* p, Vector x, Full = {}) { _mm512_storeu_ps(p, x); }
inline void store(float* p, Vector x, Part part) { _mm512_mask_storeu_ps(p, part.mask(), x); }
inline void store(bf16* p, Vector x, Full = {}) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_bf16_bits(x)); }
inline void store(bf16* p, Vector x, Part part) { _mm256_mask_storeu_epi16(p, part.mask(), to_bf16_bits(x)); }

// Neighbouring vectors, with one look for subnormals.
template <int N> inline void store_together(float* p, const Vector (&x)[N]) {
    for (int i = 0; i < N; i++) store(p + i * W, x[i]);
}
template <int N> inline void store_together(bf16* p, const Vector (&x)[N]) {
    static_assert(N % 2 == 0);
#if defined(__AVX512BF16__)
    Mask subnormal = 0;
    for (int i = 0; i < N; i++) subnormal |= _mm512_fpclass_ps_mask(x[i], 0x20);
    if (__builtin_expect(subnormal == 0, 1)) {
        for (int i = 0; i < N; i += 2)
            _mm512_storeu_si512(p + i * W, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(x[i + 1], x[i])));
        return;
    }
#endif
    for (int i = 0; i < N; i++) _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + i * W), round_bits(x[i]));
}

inline Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
inline Vector sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
inline Vector mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
inline Vector div(Vector a, Vector b) { return _mm512_div_ps(a, b); }
inline Vector sqrt(Vector a) { return _mm512_sqrt_ps(a); }
// a·b + c
inline Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
// c − a·b
inline Vector fnma(Vector a, Vector b, Vector c) { return _mm512_fnmadd_ps(a, b, c); }
// Both return b where either is NaN.
inline Vector max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
inline Vector min(Vector a, Vector b) { return _mm512_min_ps(a, b); }
inline Vector round(Vector a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// a − ⌊a⌋
inline Vector fraction(Vector a) { return _mm512_reduce_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }

inline Mask less(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
inline Mask less_equal(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
inline Mask equal(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
inline Mask less(Integers a, Integers b) { return _mm512_cmplt_epi32_mask(a, b); }
// yes where the mask is set, no elsewhere
inline Vector select(Mask mask, Vector yes, Vector no) { return _mm512_mask_blend_ps(mask, no, yes); }
inline Integers select(Mask mask, Integers yes, Integers no) { return _mm512_mask_blend_epi32(mask, no, yes); }
inline Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }
inline bool any(Mask a) { return a != 0; }

inline Integers bits_of(Vector a) { return _mm512_castps_si512(a); }
inline Vector as_floats(Integers a) { return _mm512_castsi512_ps(a); }
inline Integers to_int(Vector a) { return _mm512_cvtps_epi32(a); }
inline Vector to_float(Integers a) { return _mm512_cvtepi32_ps(a); }
inline Integers add(Integers a, Integers b) { return _mm512_add_epi32(a, b); }
inline Integers sub(Integers a, Integers b) { return _mm512_sub_epi32(a, b); }
inline Integers exclusive_or(Integers a, Integers b) { return _mm512_xor_si512(a, b); }
inline Integers bit_or(Integers a, Integers b) { return _mm512_or_si512(a, b); }
template <int Bits> inline Integers shift_left(Integers a) { return _mm512_slli_epi32(a, Bits); }
template <int Bits> inline Integers shift_right(Integers a) { return _mm512_srli_epi32(a, Bits); }
template <int Bits> inline Integers shift_right_signed(Integers a) { return _mm512_srai_epi32(a, Bits); }
inline Integers load_integers(const void* p) { return _mm512_loadu_si512(p); }
inline void store_integers(void* p, Integers a) { _mm512_storeu_si512(p, a); }
// Signed 16-bit numbers, and the low 16 bits of each lane.
inline Integers load_halves(const int16_t* p, Full) {
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Integers load_halves(const int16_t* p, Part part) {
    return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(part.mask(), p));
}
inline void store_halves(void* p, Integers a, Full) { _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a)); }
inline void store_halves(void* p, Integers a, Part part) { _mm256_mask_storeu_epi16(p, part.mask(), _mm512_cvtepi32_epi16(a)); }
// 0, 1, …, W − 1
inline Integers lanes() { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }

// 64-bit products of the even lanes, as pairs of lanes.
inline Integers multiply_even(Integers a, Integers b) { return _mm512_mul_epu32(a, b); }
inline Integers odd_to_even(Integers a) { return _mm512_srli_epi64(a, 32); }
// Where order_words wants the state of counter 0, 1, …
inline Integers counter_lanes() { return _mm512_setr_epi32(0, 0, 4, 0, 1, 0, 5, 0, 2, 0, 6, 0, 3, 0, 7, 0); }
// Four words of each of W / 2 counters, in even lanes, become words 0 to 3 of the first counter, of the second and so on.
inline void order_words(Integers w0, Integers w1, Integers w2, Integers w3, Integers& first, Integers& second) {
    const __m512i low = _mm512_mask_blend_epi32(0xAAAA, w0, _mm512_slli_epi64(w1, 32));
    const __m512i high = _mm512_mask_blend_epi32(0xAAAA, w2, _mm512_slli_epi64(w3, 32));
    first = _mm512_unpacklo_epi64(low, high);
    second = _mm512_unpackhi_epi64(low, high);
}
// Stores the lanes of the mask one after another and says how many; may overwrite a whole vector.
inline int compress(float* p, Mask keep, Vector x) {
    _mm512_storeu_ps(p, _mm512_maskz_compress_ps(keep, x));
    return __builtin_popcount(keep);
}

// x · 2^n for integral n of any size.
inline Vector scale_by_power(Vector x, Vector n) { return _mm512_scalef_ps(x, n); }

// Lane reductions in one fixed order.
inline __m256 upper_half(Vector a) { return _mm512_extractf32x8_ps(a, 1); }
inline float sum_lanes(Vector a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), upper_half(a));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float max_lanes(Vector a) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), upper_half(a));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float first_lane(Vector a) { return _mm512_cvtss_f32(a); }

// rows[i] lane j <-> rows[j] lane i
inline void transpose(Vector (&rows)[W]) {
    Vector t[W];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        const __m512d a = _mm512_castps_pd(t[4 * i]), b = _mm512_castps_pd(t[4 * i + 1]);
        const __m512d c = _mm512_castps_pd(t[4 * i + 2]), d = _mm512_castps_pd(t[4 * i + 3]);
        rows[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        rows[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        rows[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        rows[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0xDD);
    }
    for (int i = 0; i < 4; i++) {
        rows[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        rows[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
        rows[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        rows[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

// Pairs (even, odd) of bf16 as one 32-bit lane: lane i = elements 2i and 2i + 1 of p, zero beyond `elements`.
inline Vector load_pairs(const bf16* p, int elements) {
    const uint32_t mask = elements >= 32 ? ~0u : (1u << elements) - 1u;
    return _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, p));
}
inline void store_pairs(bf16* p, Vector x, int elements) {
    const uint32_t mask = elements >= 32 ? ~0u : (1u << elements) - 1u;
    _mm512_mask_storeu_epi16(p, mask, _mm512_castps_si512(x));
}
// Lane i = element i of a and of b, from lane 0 of 32 on and from lane 16 on.
inline Vector interleave_low(Vector a, Vector b) {
    const __m512i both = _mm512_setr_epi32(0x200000, 0x210001, 0x220002, 0x230003, 0x240004, 0x250005, 0x260006, 0x270007,
                                           0x280008, 0x290009, 0x2A000A, 0x2B000B, 0x2C000C, 0x2D000D, 0x2E000E, 0x2F000F);
    return _mm512_castsi512_ps(_mm512_permutex2var_epi16(_mm512_castps_si512(a), both, _mm512_castps_si512(b)));
}
inline Vector interleave_high(Vector a, Vector b) {
    const __m512i both = _mm512_setr_epi32(0x300010, 0x310011, 0x320012, 0x330013, 0x340014, 0x350015, 0x360016, 0x370017,
                                           0x380018, 0x390019, 0x3A001A, 0x3B001B, 0x3C001C, 0x3D001D, 0x3E001E, 0x3F001F);
    return _mm512_castsi512_ps(_mm512_permutex2var_epi16(_mm512_castps_si512(a), both, _mm512_castps_si512(b)));
}
// Lane i = (low[i], high[i]); high may be null, which stands for zeros.
inline Vector load_half(const bf16* p, Full) {
    return _mm512_castsi512_ps(_mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
}
inline Vector load_half(const bf16* p, Part part) {
    return _mm512_castsi512_ps(_mm512_castsi256_si512(_mm256_maskz_loadu_epi16(part.mask(), p)));
}
template <class P> inline Vector interleave(const bf16* low, const bf16* high, P part) {
    return interleave_low(load_half(low, part), high == nullptr ? zero() : load_half(high, part));
}
