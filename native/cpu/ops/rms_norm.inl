// Root-mean-square norm, alone or after the residual addition; the contract is src/Luffy.Kernels/Ops/RmsNorm.cs. A sum over a
// row runs in four chains of vectors side by side, added as (0 + 1) + (2 + 3); what is left of the row goes to the first.

inline float sum_chains(const Vector (&sum)[4]) { return sum_lanes(add(add(sum[0], sum[1]), add(sum[2], sum[3]))); }

template <class T>
void rms_norm_forward(const Runtime& runtime, void* y, void* sum, float* rstd, const void* x, const void* delta,
                      const void* weight, float epsilon, int64_t tokens, int64_t h) {
    const T* w = static_cast<const T*>(weight);
    parallel_ranges(runtime, tokens, 1 + 16384 / (h + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* row = static_cast<const T*>(x) + t * h;
            const T* added = delta == nullptr ? nullptr : static_cast<const T*>(delta) + t * h;
            T* total = static_cast<T*>(sum) + t * h;
            Vector squares[4] = {zero(), zero(), zero(), zero()};
            const auto square = [&](Vector& chain, Vector v) { chain = fma(v, v, chain); };
            each_four_vectors(h, [&](int64_t i, auto part) {
                if constexpr (is_four<decltype(part)>) {
                    Vector v[4];
                    for (int j = 0; j < 4; j++) v[j] = load(row + i + j * W);
                    if (added != nullptr) {
                        for (int j = 0; j < 4; j++) v[j] = add(v[j], load(added + i + j * W));
                        store_together(total + i, v);
                        for (int j = 0; j < 4; j++) v[j] = load(total + i + j * W); // as storage rounded it
                    }
                    for (int j = 0; j < 4; j++) square(squares[j], v[j]);
                } else {
                    if (added != nullptr) store(total + i, add(load(row + i, part), load(added + i, part)), part);
                    square(squares[0], load((added != nullptr ? total : row) + i, part));
                }
            });
            if (added != nullptr) row = total;
            const float mean = sum_chains(squares) / static_cast<float>(h);
            const float r = 1.0f / first_lane(sqrt(broadcast(mean + epsilon)));
            rstd[t] = r;
            T* out = static_cast<T*>(y) + t * h;
            const auto scaled = [&](int64_t i, auto part) {
                return mul(mul(load(row + i, part), broadcast(r)), load(w + i, part));
            };
            each_four_vectors(h, [&](int64_t i, auto part) {
                if constexpr (is_four<decltype(part)>) {
                    Vector v[4];
                    for (int j = 0; j < 4; j++) v[j] = scaled(i + j * W, Full{});
                    store_together(out + i, v);
                } else {
                    store(out + i, scaled(i, part), part);
                }
            });
        }
    });
}

// d_weight[first … last − 1] += Σ dy·x·rstd, every element in one chain over ascending tokens.
template <class T>
void rms_norm_weight_gradient(float* d_weight, const T* dy, const T* x, const float* rstd, int64_t tokens, int64_t h,
                              int64_t first, int64_t last) {
    const auto add_token = [&](Vector sum, int64_t t, int64_t i, auto part) {
        return fma(mul(load(dy + t * h + i, part), load(x + t * h + i, part)), broadcast(rstd[t]), sum);
    };
    each_four_vectors(last - first, [&](int64_t column, auto part) {
        const int64_t i = first + column;
        if constexpr (is_four<decltype(part)>) {
            Vector sums[4];
            for (int j = 0; j < 4; j++) sums[j] = load(d_weight + i + j * W);
            for (int64_t t = 0; t < tokens; t++) {
                for (int j = 0; j < 4; j++) sums[j] = add_token(sums[j], t, i + j * W, Full{});
            }
            store_together(d_weight + i, sums);
        } else {
            Vector sum = load(d_weight + i, part);
            for (int64_t t = 0; t < tokens; t++) sum = add_token(sum, t, i, part);
            store(d_weight + i, sum, part);
        }
    });
}

template <class T>
void rms_norm_backward(const Runtime& runtime, void* dx, float* d_weight, const void* dy, const void* d_residual, const void* x,
                       const float* rstd, const void* weight, int64_t tokens, int64_t h) {
    const T* w = static_cast<const T*>(weight);
    // Threads split the columns, so that no sum is split.
    parallel_ranges(runtime, h, 64, [&](int64_t first, int64_t last) {
        rms_norm_weight_gradient(d_weight, static_cast<const T*>(dy), static_cast<const T*>(x), rstd, tokens, h, first, last);
    });
    parallel_ranges(runtime, tokens, 1 + 8192 / (h + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* upstream = static_cast<const T*>(dy) + t * h;
            const T* input = static_cast<const T*>(x) + t * h;
            const T* residual = d_residual == nullptr ? nullptr : static_cast<const T*>(d_residual) + t * h;
            Vector products[4] = {zero(), zero(), zero(), zero()};
            const auto multiply = [&](Vector& chain, int64_t i, auto part) {
                chain = fma(mul(load(w + i, part), load(upstream + i, part)), load(input + i, part), chain);
            };
            each_four_vectors(h, [&](int64_t i, auto part) {
                if constexpr (is_four<decltype(part)>) {
                    for (int j = 0; j < 4; j++) multiply(products[j], i + j * W, Full{});
                } else {
                    multiply(products[0], i, part);
                }
            });
            const float r = rstd[t];
            const Vector correction = broadcast(r * r * (sum_chains(products) / static_cast<float>(h)));
            const auto gradient = [&](int64_t i, auto part) {
                const Vector scaled = mul(load(w + i, part), load(upstream + i, part));
                const Vector value = mul(broadcast(r), fnma(load(input + i, part), correction, scaled));
                return residual == nullptr ? value : add(load(residual + i, part), value);
            };
            T* out = static_cast<T*>(dx) + t * h;
            each_four_vectors(h, [&](int64_t i, auto part) {
                if constexpr (is_four<decltype(part)>) {
                    Vector values[4];
                    for (int j = 0; j < 4; j++) values[j] = gradient(i + j * W, Full{});
                    store_together(out + i, values);
                } else {
                    store(out + i, gradient(i, part), part);
                }
            });
        }
    });
}
