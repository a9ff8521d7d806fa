// Row gather and its transpose; the contract is src/Luffy.Kernels/Ops/Embedding.cs.

inline void embedding_forward(const Runtime& runtime, void* y, const void* weight, const int32_t* ids, int64_t tokens,
                              int64_t row_bytes) {
    parallel_ranges(runtime, tokens, 1 + 32768 / (row_bytes + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++)
            memcpy(static_cast<char*>(y) + t * row_bytes, static_cast<const char*>(weight) + ids[t] * row_bytes,
                   static_cast<size_t>(row_bytes));
    });
}

// Threads split the columns, so that rows of the same id are added in ascending t.
template <class Into, class From>
void embedding_backward(const Runtime& runtime, void* d_weight, const void* dy, const int32_t* ids, int64_t tokens, int64_t h) {
    parallel_ranges(runtime, h, 64, [&](int64_t first, int64_t last) {
        for (int64_t t = 0; t < tokens; t++) {
            Into* sum = static_cast<Into*>(d_weight) + ids[t] * h + first;
            const From* row = static_cast<const From*>(dy) + t * h + first;
            each_vector(last - first,
                        [&](int64_t i, auto part) { store(sum + i, add(load(sum + i, part), load(row + i, part)), part); });
        }
    });
}
