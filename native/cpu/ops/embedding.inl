// Row gather and its transpose; the contract is src/Luffy.Kernels/Ops/Embedding.cs.

inline void embedding_forward(const Runtime& runtime, void* y, const void* weight, const int32_t* ids, int64_t tokens,
                              int64_t row_bytes) {
    parallel_ranges(runtime, tokens, 1 + 32768 / (row_bytes + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++)
            memcpy(static_cast<char*>(y) + t * row_bytes, static_cast<const char*>(weight) + ids[t] * row_bytes,
                   static_cast<size_t>(row_bytes));
    });
}

// From the packed form that a tied embedding shares with the head: the units of a row lie panel_width apart.
template <class T>
void embedding_forward_packed(const Runtime& runtime, void* y, const void* packed, const int32_t* ids, int64_t tokens,
                              int64_t h) {
    using E = ElementOf<T>;
    const int64_t units = units_of<E>(h), whole = h / E::step;
    parallel_ranges(runtime, tokens, 1 + 8192 / (h + 1), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            const int64_t n = ids[t];
            const typename E::Panel* from =
                static_cast<const typename E::Panel*>(packed) + n / panel_width * units * panel_width + n % panel_width;
            T* to = static_cast<T*>(y) + t * h;
            for (int64_t u = 0; u < whole; u++) memcpy(to + u * E::step, from + u * panel_width, sizeof(T) * E::step);
            if (whole < units) memcpy(to + whole * E::step, from + whole * panel_width, sizeof(T)); // an odd last element
        }
    });
}

// Threads split the columns, so that rows of the same id are added in ascending t.
template <class Into, class From>
void embedding_backward(const Runtime& runtime, void* d_weight, const void* dy, const int32_t* ids, const int32_t*,
                        int64_t tokens, int64_t h) {
    parallel_ranges(runtime, h, 64, [&](int64_t first, int64_t last) {
        for (int64_t t = 0; t < tokens; t++) {
            Into* sum = static_cast<Into*>(d_weight) + ids[t] * h + first;
            const From* row = static_cast<const From*>(dy) + t * h + first;
            each_vector(last - first,
                        [&](int64_t i, auto part) { store(sum + i, add(load(sum + i, part), load(row + i, part)), part); });
        }
    });
}
