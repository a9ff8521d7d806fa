// Copies between storage types, and zeroing.

template <class To, class From> void copy_elements(const Runtime& runtime, void* destination, const void* source, int64_t n) {
    parallel_ranges(runtime, n, 65536, [&](int64_t first, int64_t last) {
        To* to = static_cast<To*>(destination) + first;
        const From* from = static_cast<const From*>(source) + first;
        if constexpr (sizeof(To) == sizeof(From)) {
            memmove(to, from, static_cast<size_t>(last - first) * sizeof(To));
        } else {
            each_vector(last - first, [&](int64_t i, auto part) { store(to + i, load(from + i, part), part); });
        }
    });
}

inline void zero_bytes(const Runtime& runtime, void* memory, int64_t bytes) {
    parallel_ranges(runtime, bytes, 262144, [&](int64_t first, int64_t last) {
        memset(static_cast<char*>(memory) + first, 0, static_cast<size_t>(last - first));
    });
}

inline void copy_bytes(const Runtime&, void* destination, const void* source, int64_t bytes) {
    memmove(destination, source, static_cast<size_t>(bytes));
}

// The device is the host.
inline const int32_t* host_integers(const Runtime&, const void* memory, int64_t) { return static_cast<const int32_t*>(memory); }
