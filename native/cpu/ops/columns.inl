// Ranges of columns to and from a matrix of their own; the contract is src/Luffy.Kernels/Ops/Columns.cs.

// z = scale·(columns of y)
template <class T> void columns_take(const Runtime& runtime, void* z, const void* y, const ColumnRange& range, float scale) {
    const Vector factor = broadcast(scale);
    parallel_ranges(runtime, range.rows, 1 + 8192 / (range.width + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* from = static_cast<const T*>(y) + t * range.stride + range.start;
            T* to = static_cast<T*>(z) + t * range.width;
            each_vector(range.width, [&](int64_t i, auto part) { store(to + i, mul(factor, load(from + i, part)), part); });
        }
    });
}

// (columns of y) = z
template <class T> void columns_put(const Runtime& runtime, void* y, const void* z, const ColumnRange& range) {
    parallel_ranges(runtime, range.rows, 1 + 8192 / (range.width + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* from = static_cast<const T*>(z) + t * range.width;
            T* to = static_cast<T*>(y) + t * range.stride + range.start;
            each_vector(range.width, [&](int64_t i, auto part) { store(to + i, load(from + i, part), part); });
        }
    });
}

// (columns of y) += scale·z
template <class T> void columns_add(const Runtime& runtime, void* y, const void* z, const ColumnRange& range, float scale) {
    const Vector factor = broadcast(scale);
    parallel_ranges(runtime, range.rows, 1 + 8192 / (range.width + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const T* from = static_cast<const T*>(z) + t * range.width;
            T* to = static_cast<T*>(y) + t * range.stride + range.start;
            each_vector(range.width, [&](int64_t i, auto part) {
                store(to + i, fma(factor, load(from + i, part), load(to + i, part)), part);
            });
        }
    });
}
