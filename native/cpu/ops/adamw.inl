// The optimiser's update in one pass over memory, and the norm for clipping; the contract is src/Luffy.Kernels/Ops/AdamW.cs.

template <class T>
void adamw_update(const Runtime& runtime, void* weights, float* master, float* m, float* v, const float* gradient, int64_t n,
                  const AdamWCoefficients& c) {
    parallel_ranges(runtime, n, 16384, [&](int64_t first, int64_t last) {
        T* out = weights == nullptr ? nullptr : static_cast<T*>(weights) + first;
        each_vector(last - first, [&](int64_t j, auto part) {
            const int64_t i = first + j;
            const Vector g = mul(load(gradient + i, part), broadcast(c.gradient_scale));
            const Vector first_moment = fma(broadcast(c.beta1), load(m + i, part), mul(broadcast(c.one_minus_beta1), g));
            const Vector second_moment = fma(broadcast(c.beta2), load(v + i, part), mul(mul(broadcast(c.one_minus_beta2), g), g));
            const Vector denominator = add(sqrt(mul(second_moment, broadcast(c.second_correction))), broadcast(c.epsilon));
            const Vector step = div(mul(first_moment, broadcast(c.first_correction)), denominator);
            const Vector old = load(master + i, part);
            const Vector value = fnma(broadcast(c.learning_rate), fma(broadcast(c.weight_decay), old, step), old);
            store(m + i, first_moment, part);
            store(v + i, second_moment, part);
            store(master + i, value, part);
            if (out != nullptr) store(out + j, value, part);
        });
    });
}

constexpr int64_t norm_block = 4096;

inline int64_t squared_norm_scratch(int64_t n) {
    return (n + norm_block - 1) / norm_block * static_cast<int64_t>(sizeof(double));
}

// Blocks of a fixed size in f32 lanes, then the blocks in order in f64.
inline void squared_norm(const Runtime& runtime, float* result, const float* x, int64_t n, double* partial) {
    const int64_t blocks = (n + norm_block - 1) / norm_block;
    parallel_ranges(runtime, blocks, 8, [&](int64_t first, int64_t last) {
        for (int64_t b = first; b < last; b++) {
            const float* block = x + b * norm_block;
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
