// Eight f32 lanes (AVX2, FMA). Included inside the anonymous namespace of a translation unit built for it; see avx512.h.

constexpr int W = 8;
using Vector = __m256;
using Integers = __m256i;
struct Mask {
    __m256 lanes;
};

struct Full {
    static constexpr int count = W;
};
struct Part {
    int count;
    __m256i mask() const { return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
};

inline Vector zero() { return _mm256_setzero_ps(); }
inline Vector broadcast(float x) { return _mm256_set1_ps(x); }
inline Integers broadcast(int32_t x) { return _mm256_set1_epi32(x); }

inline Vector from_bf16_bits(__m128i bits) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)); }

inline __m128i to_bf16_bits(Vector x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
    const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const __m256i result = _mm256_blendv_epi8(rounded, quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(result), _mm256_extracti128_si256(result, 1));
}

inline __m128i load_halves(const void* p, int count) {
    alignas(16) uint16_t buffer[8] = {};
    memcpy(buffer, p, static_cast<size_t>(count) * 2);
    return _mm_load_si128(reinterpret_cast<const __m128i*>(buffer));
}

inline Vector load(const float* p, Full = {}) { return _mm256_loadu_ps(p); }
inline Vector load(const float* p, Part part) { return _mm256_maskload_ps(p, part.mask()); }
inline Vector load(const bf16* p, Full = {}) { return from_bf16_bits(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
inline Vector load(const bf16* p, Part part) { return from_bf16_bits(load_halves(p, part.count)); }

inline void store(float* p, Vector x, Full = {}) { _mm256_storeu_ps(p, x); }
inline void store(float* p, Vector x, Part part) { _mm256_maskstore_ps(p, part.mask(), x); }
inline void store(bf16* p, Vector x, Full = {}) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), to_bf16_bits(x)); }
inline void store(bf16* p, Vector x, Part part) {
    alignas(16) uint16_t buffer[8];
    _mm_store_si128(reinterpret_cast<__m128i*>(buffer), to_bf16_bits(x));
    memcpy(p, buffer, static_cast<size_t>(part.count) * 2);
}

template <class T, int N> inline void store_together(T* p, const Vector (&x)[N]) {
    for (int i = 0; i < N; i++) store(p + i * W, x[i]);
}

inline Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
inline Vector sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
inline Vector mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
inline Vector div(Vector a, Vector b) { return _mm256_div_ps(a, b); }
inline Vector sqrt(Vector a) { return _mm256_sqrt_ps(a); }
// a·b + c
inline Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
// c − a·b
inline Vector fnma(Vector a, Vector b, Vector c) { return _mm256_fnmadd_ps(a, b, c); }
// Both return b where either is NaN.
inline Vector max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
inline Vector min(Vector a, Vector b) { return _mm256_min_ps(a, b); }
inline Vector round(Vector a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline Vector fraction(Vector a) { return _mm256_sub_ps(a, _mm256_floor_ps(a)); }

inline Mask less(Vector a, Vector b) { return {_mm256_cmp_ps(a, b, _CMP_LT_OQ)}; }
inline Mask less_equal(Vector a, Vector b) { return {_mm256_cmp_ps(a, b, _CMP_LE_OQ)}; }
inline Mask equal(Vector a, Vector b) { return {_mm256_cmp_ps(a, b, _CMP_EQ_OQ)}; }
inline Mask less(Integers a, Integers b) { return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a))}; }
inline Vector select(Mask mask, Vector yes, Vector no) { return _mm256_blendv_ps(no, yes, mask.lanes); }
inline Integers select(Mask mask, Integers yes, Integers no) {
    return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(mask.lanes));
}
inline Mask both(Mask a, Mask b) { return {_mm256_and_ps(a.lanes, b.lanes)}; }
inline bool any(Mask a) { return _mm256_movemask_ps(a.lanes) != 0; }

inline Integers bits_of(Vector a) { return _mm256_castps_si256(a); }
inline Vector as_floats(Integers a) { return _mm256_castsi256_ps(a); }
inline Integers to_int(Vector a) { return _mm256_cvtps_epi32(a); }
inline Vector to_float(Integers a) { return _mm256_cvtepi32_ps(a); }
inline Integers add(Integers a, Integers b) { return _mm256_add_epi32(a, b); }
inline Integers sub(Integers a, Integers b) { return _mm256_sub_epi32(a, b); }
inline Integers exclusive_or(Integers a, Integers b) { return _mm256_xor_si256(a, b); }
inline Integers bit_or(Integers a, Integers b) { return _mm256_or_si256(a, b); }
template <int Bits> inline Integers shift_left(Integers a) { return _mm256_slli_epi32(a, Bits); }
template <int Bits> inline Integers shift_right(Integers a) { return _mm256_srli_epi32(a, Bits); }
template <int Bits> inline Integers shift_right_signed(Integers a) { return _mm256_srai_epi32(a, Bits); }
inline Integers load_integers(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store_integers(void* p, Integers a) { _mm256_storeu_si256(static_cast<__m256i*>(p), a); }
inline Integers load_halves(const int16_t* p, Full) {
    return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Integers load_halves(const int16_t* p, Part part) { return _mm256_cvtepi16_epi32(load_halves(p, part.count)); }
inline __m128i low_halves(Integers a) {
    const __m256i low = _mm256_and_si256(a, _mm256_set1_epi32(0xFFFF));
    return _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
}
inline void store_halves(void* p, Integers a, Full) { _mm_storeu_si128(static_cast<__m128i*>(p), low_halves(a)); }
inline void store_halves(void* p, Integers a, Part part) {
    alignas(16) uint16_t buffer[8];
    _mm_store_si128(reinterpret_cast<__m128i*>(buffer), low_halves(a));
    memcpy(p, buffer, static_cast<size_t>(part.count) * 2);
}
inline Integers lanes() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }

inline Integers multiply_even(Integers a, Integers b) { return _mm256_mul_epu32(a, b); }
inline Integers odd_to_even(Integers a) { return _mm256_srli_epi64(a, 32); }
inline Integers counter_lanes() { return _mm256_setr_epi32(0, 0, 2, 0, 1, 0, 3, 0); }
inline void order_words(Integers w0, Integers w1, Integers w2, Integers w3, Integers& first, Integers& second) {
    const __m256i low = _mm256_blend_epi32(w0, _mm256_slli_epi64(w1, 32), 0xAA);
    const __m256i high = _mm256_blend_epi32(w2, _mm256_slli_epi64(w3, 32), 0xAA);
    first = _mm256_unpacklo_epi64(low, high);
    second = _mm256_unpackhi_epi64(low, high);
}
struct LaneLists {
    uint8_t of[256][W]; // the lanes of a mask, in ascending order
    constexpr LaneLists() : of() {
        for (int mask = 0; mask < 256; mask++) {
            for (int lane = 0, count = 0; lane < W; lane++) {
                if ((mask >> lane & 1) != 0) of[mask][count++] = static_cast<uint8_t>(lane);
            }
        }
    }
};
constexpr LaneLists lane_lists;
inline int compress(float* p, Mask keep, Vector x) {
    const int mask = _mm256_movemask_ps(keep.lanes);
    const __m128i lanes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(lane_lists.of[mask]));
    _mm256_storeu_ps(p, _mm256_permutevar8x32_ps(x, _mm256_cvtepu8_epi32(lanes)));
    return __builtin_popcount(static_cast<unsigned>(mask));
}

// x · 2^n for integral n in −252 … 254, in two steps so that subnormal results round once and large ones overflow to infinity.
inline Vector scale_by_power(Vector x, Vector n) {
    const __m256i whole = _mm256_cvtps_epi32(n);
    const __m256i half = _mm256_srai_epi32(whole, 1);
    const __m256i rest = _mm256_sub_epi32(whole, half);
    const __m256i bias = _mm256_set1_epi32(127);
    x = _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}

inline float sum_lanes(Vector a) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float max_lanes(Vector a) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float first_lane(Vector a) { return _mm256_cvtss_f32(a); }

inline void transpose(Vector (&rows)[W]) {
    Vector t[W];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        rows[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        rows[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
        rows[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        rows[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(rows[i], rows[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(rows[i], rows[i + 4], 0x31);
    }
    for (int i = 0; i < W; i++) rows[i] = t[i];
}
