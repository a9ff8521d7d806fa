// y = silu(gate)·up; the contract is src/Luffy.Kernels/Ops/SwiGlu.cs.

// 1 + e^−z, as exact as the storage T can show.
template <class T> inline Vector sigmoid_denominator(Vector z) {
    const Vector minus = sub(zero(), z);
    return add(broadcast(1.0f), sizeof(T) == sizeof(bf16) ? exp_for_bf16(minus) : exp(minus));
}

template <class T> struct SwiGluRow {
    const T *gate, *up;

    template <class P> Vector forward(int64_t i, P part) const {
        const Vector g = load(gate + i, part);
        return mul(div(g, sigmoid_denominator<T>(g)), load(up + i, part));
    }

    struct Gradients {
        Vector gate, up;
    };
    template <class P> Gradients backward(const T* upstream, int64_t i, P part) const {
        const Vector g = load(gate + i, part), u = load(up + i, part), d = load(upstream + i, part);
        const Vector s = div(broadcast(1.0f), sigmoid_denominator<T>(g));
        const Vector slope = fma(g, sub(broadcast(1.0f), s), broadcast(1.0f));
        return {mul(mul(mul(d, u), s), slope), mul(mul(d, g), s)};
    }
};

template <class T> void swiglu_forward(const Runtime& runtime, void* y, const void* gate_up, int64_t tokens, int64_t width) {
    parallel_ranges(runtime, tokens, 1 + 8192 / (width + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* gate = static_cast<const T*>(gate_up) + 2 * t * width;
            const SwiGluRow<T> row{gate, gate + width};
            T* out = static_cast<T*>(y) + t * width;
            each_four_vectors(width, [&](int64_t i, auto part) {
                if constexpr (is_four<decltype(part)>) {
                    Vector values[4];
                    for (int v = 0; v < 4; v++) values[v] = row.forward(i + v * W, Full{});
                    store_together(out + i, values);
                } else {
                    store(out + i, row.forward(i, part), part);
                }
            });
        }
    });
}

// d_gate_up may be gate_up: a place is written after it was read.
template <class T>
void swiglu_backward(const Runtime& runtime, void* d_gate_up, const void* dy, const void* gate_up, int64_t tokens,
                     int64_t width) {
    parallel_ranges(runtime, tokens, 1 + 8192 / (width + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* gate = static_cast<const T*>(gate_up) + 2 * t * width;
            const SwiGluRow<T> row{gate, gate + width};
            const T* upstream = static_cast<const T*>(dy) + t * width;
            T *d_gate = static_cast<T*>(d_gate_up) + 2 * t * width, *d_up = d_gate + width;
            each_four_vectors(width, [&](int64_t i, auto part) {
                if constexpr (is_four<decltype(part)>) {
                    Vector gates[4], ups[4];
                    for (int v = 0; v < 4; v++) {
                        const auto gradients = row.backward(upstream, i + v * W, Full{});
                        gates[v] = gradients.gate;
                        ups[v] = gradients.up;
                    }
                    store_together(d_gate + i, gates);
                    store_together(d_up + i, ups);
                } else {
                    const auto gradients = row.backward(upstream, i, part);
                    store(d_gate + i, gradients.gate, part);
                    store(d_up + i, gradients.up, part);
                }
            });
        }
    });
}
