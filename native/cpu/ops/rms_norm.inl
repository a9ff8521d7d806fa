// Root-mean-square norm, alone or after the residual addition; the contract is src/Luffy.Kernels/Ops/RmsNorm.cs.

template <class T>
void rms_norm_forward(const Runtime& runtime, void* y, void* sum, float* rstd, const void* x, const void* delta,
                      const void* weight, float epsilon, int64_t tokens, int64_t h) {
    const T* w = static_cast<const T*>(weight);
    parallel_ranges(runtime, tokens, 1 + 8192 / (h + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* row = static_cast<const T*>(x) + t * h;
            if (delta != nullptr) {
                T* total = static_cast<T*>(sum) + t * h;
                const T* added = static_cast<const T*>(delta) + t * h;
                each_vector(
                    h, [&](int64_t i, auto part) { store(total + i, add(load(row + i, part), load(added + i, part)), part); });
                row = total;
            }
            Vector squares = zero();
            each_vector(h, [&](int64_t i, auto part) {
                const Vector v = load(row + i, part);
                squares = fma(v, v, squares);
            });
            const float mean = sum_lanes(squares) / static_cast<float>(h);
            const float r = 1.0f / first_lane(sqrt(broadcast(mean + epsilon)));
            rstd[t] = r;
            T* out = static_cast<T*>(y) + t * h;
            each_vector(h, [&](int64_t i, auto part) {
                store(out + i, mul(mul(load(row + i, part), broadcast(r)), load(w + i, part)), part);
            });
        }
    });
}

template <class T>
void rms_norm_backward(const Runtime& runtime, void* dx, float* d_weight, const void* dy, const void* d_residual, const void* x,
                       const float* rstd, const void* weight, int64_t tokens, int64_t h) {
    const T* w = static_cast<const T*>(weight);
    // The weight's gradient: columns split among threads, so that every element adds its tokens in ascending order.
    parallel_ranges(runtime, h, 64, [&](int64_t first, int64_t last) {
        for (int64_t t = 0; t < tokens; t++) {
            const T* upstream = static_cast<const T*>(dy) + t * h;
            const T* input = static_cast<const T*>(x) + t * h;
            const Vector r = broadcast(rstd[t]);
            each_vector(last - first, [&](int64_t j, auto part) {
                const int64_t i = first + j;
                const Vector product = mul(load(upstream + i, part), load(input + i, part));
                store(d_weight + i, fma(product, r, load(d_weight + i, part)), part);
            });
        }
    });
    parallel_ranges(runtime, tokens, 1 + 8192 / (h + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* upstream = static_cast<const T*>(dy) + t * h;
            const T* input = static_cast<const T*>(x) + t * h;
            Vector products = zero();
            each_vector(h, [&](int64_t i, auto part) {
                products = fma(mul(load(w + i, part), load(upstream + i, part)), load(input + i, part), products);
            });
            const float r = rstd[t];
            const Vector correction = broadcast(r * r * (sum_lanes(products) / static_cast<float>(h)));
            T* out = static_cast<T*>(dx) + t * h;
            each_vector(h, [&](int64_t i, auto part) {
                const Vector scaled = mul(load(w + i, part), load(upstream + i, part));
                Vector value = mul(broadcast(r), fnma(load(input + i, part), correction, scaled));
                if (d_residual != nullptr) value = add(load(static_cast<const T*>(d_residual) + t * h + i, part), value);
                store(out + i, value, part);
            });
        }
    });
}
