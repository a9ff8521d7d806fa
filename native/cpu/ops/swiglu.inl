// y = silu(gate)·up; the contract is src/Luffy.Kernels/Ops/SwiGlu.cs.

inline Vector sigmoid(Vector z) { return div(broadcast(1.0f), add(broadcast(1.0f), exp(sub(zero(), z)))); }

template <class T> void swiglu_forward(const Runtime& runtime, void* y, const void* gate_up, int64_t tokens, int64_t width) {
    parallel_ranges(runtime, tokens, 1 + 4096 / (width + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T *gate = static_cast<const T*>(gate_up) + 2 * t * width, *up = gate + width;
            T* out = static_cast<T*>(y) + t * width;
            each_vector(width, [&](int64_t i, auto part) {
                const Vector g = load(gate + i, part);
                const Vector silu = div(g, add(broadcast(1.0f), exp(sub(zero(), g))));
                store(out + i, mul(silu, load(up + i, part)), part);
            });
        }
    });
}

template <class T>
void swiglu_backward(const Runtime& runtime, void* d_gate_up, const void* dy, const void* gate_up, int64_t tokens,
                     int64_t width) {
    parallel_ranges(runtime, tokens, 1 + 4096 / (width + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T *gate = static_cast<const T*>(gate_up) + 2 * t * width, *up = gate + width;
            const T* upstream = static_cast<const T*>(dy) + t * width;
            T *d_gate = static_cast<T*>(d_gate_up) + 2 * t * width, *d_up = d_gate + width;
            each_vector(width, [&](int64_t i, auto part) {
                const Vector g = load(gate + i, part), u = load(up + i, part), d = load(upstream + i, part);
                const Vector s = sigmoid(g);
                const Vector slope = fma(g, sub(broadcast(1.0f), s), broadcast(1.0f));
                store(d_gate + i, mul(mul(mul(d, u), s), slope), part);
                store(d_up + i, mul(mul(d, g), s), part);
            });
        }
    });
}
