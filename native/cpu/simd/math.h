// Functions built from the vector operations: the same source for every width. Included after avx2.h or avx512.h.

inline const float infinity = __builtin_inff();

// Calls body(i, Full) for whole vectors from 0 up, then body(i, Part) for what is left of n.
template <class Body> inline void each_vector(int64_t n, const Body& body) {
    int64_t i = 0;
    for (; i + W <= n; i += W) body(i, Full{});
    if (i < n) body(i, Part{static_cast<int>(n - i)});
}

// The same with body(i, Four) for as many groups of four vectors as there are: work that waits for its own results keeps the
// processor busy where four run side by side.
struct Four {};
template <class P> constexpr bool is_four = false;
template <> constexpr bool is_four<Four> = true;
template <class Body> inline void each_four_vectors(int64_t n, const Body& body) {
    int64_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) body(i, Four{});
    each_vector(n - i, [&](int64_t j, auto part) { body(i + j, part); });
}

// x, with `otherwise` in the lanes beyond the part.
inline Vector tail_is(Vector x, Full, float) { return x; }
inline Vector tail_is(Vector x, Part part, float otherwise) {
    return select(less(lanes(), broadcast(static_cast<int32_t>(part.count))), x, broadcast(otherwise));
}

// e^x within 1 ulp: Cody-Waite reduction by ln 2, a polynomial fitted on ±½ ln 2. Underflows to 0, overflows to infinity, keeps
// NaN.
inline Vector exp(Vector x) {
    x = min(broadcast(89.0f), max(broadcast(-104.0f), x));
    const Vector n = round(mul(x, broadcast(1.44269504088896341f)));
    Vector r = fnma(n, broadcast(0.693359375f), x);
    r = fnma(n, broadcast(-2.12194440e-4f), r);
    Vector p = broadcast(1.990763593e-04f);
    p = fma(p, r, broadcast(1.393368808e-03f));
    p = fma(p, r, broadcast(8.333285934e-03f));
    p = fma(p, r, broadcast(4.166646458e-02f));
    p = fma(p, r, broadcast(1.666666676e-01f));
    p = fma(p, r, broadcast(5.000000014e-01f));
    p = add(broadcast(1.0f), fma(mul(r, r), p, r));
    return scale_by_power(p, n);
}

// e^x within 2^−18, for a result that is rounded to bf16: a polynomial of 2^f on 0 … 1. Underflows to 0, overflows to infinity,
// keeps NaN.
inline Vector exp_for_bf16(Vector x) {
    Vector t = mul(x, broadcast(1.44269504088896341f));
    if (W == 8) t = min(broadcast(129.0f), max(broadcast(-160.0f), t)); // as far as its scale_by_power goes
    const Vector f = fraction(t);
    Vector p = broadcast(1.353416797e-02f);
    p = fma(p, f, broadcast(5.201146043e-02f));
    p = fma(p, f, broadcast(2.414427571e-01f));
    p = fma(p, f, broadcast(6.930038344e-01f));
    p = fma(p, f, broadcast(1.000002593f));
    return scale_by_power(p, sub(t, f));
}

// 2^x within 2 ulp for x up to 127, and exactly 1 at 0: a polynomial fitted on ±½. 0 from −151 down; keeps NaN.
inline Vector exp2(Vector x) {
    x = max(broadcast(-151.0f), x);
    const Vector n = round(x);
    const Vector r = sub(x, n);
    Vector p = broadcast(1.326472731e-03f);
    p = fma(p, r, broadcast(9.671512991e-03f));
    p = fma(p, r, broadcast(5.550733581e-02f));
    p = fma(p, r, broadcast(2.402224243e-01f));
    p = fma(p, r, broadcast(6.931470037e-01f));
    p = fma(p, r, broadcast(1.0f));
    return scale_by_power(p, n);
}

// ln x within 1 ulp for positive normal x; −∞ at zero and below the normal range, +∞ kept; negative x and NaN give NaN.
inline Vector log(Vector x) {
    const Integers bits = bits_of(x);
    const Integers exponent = shift_right_signed<23>(sub(bits, broadcast(int32_t{0x3F2AAAAB})));
    const Vector f = sub(as_floats(sub(bits, shift_left<23>(exponent))), broadcast(1.0f));
    const Vector n = to_float(exponent);
    Vector p = broadcast(-1.125852787e-01f);
    p = fma(p, f, broadcast(1.163749652e-01f));
    p = fma(p, f, broadcast(-9.615317219e-02f));
    p = fma(p, f, broadcast(1.084815134e-01f));
    p = fma(p, f, broadcast(-1.252177531e-01f));
    p = fma(p, f, broadcast(1.429650113e-01f));
    p = fma(p, f, broadcast(-1.666615967e-01f));
    p = fma(p, f, broadcast(1.999984679e-01f));
    p = fma(p, f, broadcast(-2.500000338e-01f));
    p = fma(p, f, broadcast(3.333333368e-01f));
    const Vector square = mul(f, f);
    Vector tail = fma(n, broadcast(-2.12194440e-4f), mul(mul(square, f), p));
    tail = fma(broadcast(-0.5f), square, tail);
    Vector y = fma(n, broadcast(0.693359375f), add(f, tail));
    y = select(less(x, broadcast(1.17549435e-38f)), broadcast(-infinity), y);
    y = select(less(x, zero()), broadcast(__builtin_nanf("")), y);
    y = select(equal(x, broadcast(infinity)), x, y);
    return select(equal(x, x), y, x);
}

inline float exp1(float x) { return first_lane(exp(broadcast(x))); }
inline float log1(float x) { return first_lane(log(broadcast(x))); }

inline float to_f32(float x) { return x; }
inline float to_f32(bf16 x) { return first_lane(load(&x, Part{1})); }
