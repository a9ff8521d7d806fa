// What the processor can do at best, for benchmarks to be measured against.

// Independent chains of multiply-adds in registers, as many as hide the latency of one; returns the floating-point operations
// done by all threads (a multiply-add counts as two).
template <class E> double multiply_adds(const Runtime& runtime, int64_t iterations) {
    constexpr int chains = W == 16 ? 24 : 12;
    parallel(runtime, runtime.threads, [&](int64_t task, char* workspace) {
        Vector sums[chains];
        for (int i = 0; i < chains; i++) sums[i] = broadcast(static_cast<float>(i + task));
        // A half, as an f32 (nearly) and as each of two bf16.
        const Vector half = as_floats(broadcast(int32_t{0x3F003F00}));
        for (int64_t n = 0; n < iterations; n++) {
#pragma GCC unroll 24
            for (int i = 0; i < chains; i++) sums[i] = E::multiply_add(half, half, sums[i]);
        }
        // Where the compiler cannot know that nobody looks.
        for (int i = 1; i < chains; i++) sums[0] = add(sums[0], sums[i]);
        store(reinterpret_cast<float*>(workspace), sums[0]);
    });
    return 2.0 * chains * W * E::step * static_cast<double>(iterations) * runtime.threads;
}

// Reads whole megabytes of memory once, all threads together, each from end to end of its parts.
inline void read_memory(const Runtime& runtime, const void* memory, int64_t megabytes) {
    constexpr int64_t floats = 1 << 18;
    constexpr int sums_at_once = 8;
    const float* first = static_cast<const float*>(memory);
    parallel(runtime, megabytes, [&](int64_t task, char* workspace) {
        Vector sums[sums_at_once];
        for (int i = 0; i < sums_at_once; i++) sums[i] = zero();
        for (const float *p = first + task * floats, *end = p + floats; p < end; p += sums_at_once * W) {
#pragma GCC unroll 8
            for (int i = 0; i < sums_at_once; i++) sums[i] = add(sums[i], load(p + i * W));
        }
        for (int i = 1; i < sums_at_once; i++) sums[0] = add(sums[0], sums[i]);
        store(reinterpret_cast<float*>(workspace), sums[0]);
    });
}
