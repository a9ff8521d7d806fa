// Rotary position embedding, half-split layout; the contract is src/Luffy.Kernels/Ops/Rope.cs.

template <class T>
void rope(const Runtime& runtime, void* qkv, const int32_t* positions, const float* table, int64_t tokens, int64_t heads,
          int64_t rotated_heads, int64_t head_dim, float sign) {
    const int64_t half = head_dim / 2;
    const Vector direction = broadcast(sign);
    parallel_ranges(runtime, tokens, 1 + 8192 / (heads * head_dim + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const float *cosine = table + positions[t] * head_dim, *sine = cosine + half;
            for (int64_t head = 0; head < rotated_heads; head++) {
                T *low = static_cast<T*>(qkv) + (t * heads + head) * head_dim, *high = low + half;
                each_vector(half, [&](int64_t i, auto part) {
                    const Vector a = load(low + i, part), b = load(high + i, part);
                    const Vector c = load(cosine + i, part), s = mul(direction, load(sine + i, part));
                    store(low + i, fnma(b, s, mul(a, c)), part);
                    store(high + i, fma(a, s, mul(b, c)), part);
                });
            }
        }
    });
}
