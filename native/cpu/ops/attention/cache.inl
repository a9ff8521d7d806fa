// The paged key-value cache; its layout is in tiles.inl.

template <class T>
void attention_store(const Runtime& runtime, void* cache, const void* qkv, const int32_t* slots, int64_t tokens,
                     const lf_attention_shape& shape) {
    const int64_t d = shape.head_dim, row = packed_heads(shape) * d;
    parallel_ranges(runtime, tokens, 1 + 16384 / row, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            for (int64_t h = 0; h < shape.kv_heads; h++) {
                const int64_t page = slots[t] / LF_PAGE_SIZE, offset = slots[t] % LF_PAGE_SIZE;
                T* head = static_cast<T*>(cache) + (page * shape.kv_heads + h) * page_head_elements(shape);
                const T* key = static_cast<const T*>(qkv) + t * row + (shape.heads + h) * d;
                const T* value = key + shape.kv_heads * d;
                for (int64_t i = 0; i < d; i++) head[i * LF_PAGE_SIZE + offset] = key[i];
                memcpy(head + LF_PAGE_SIZE * d + offset * d, value, static_cast<size_t>(d) * sizeof(T));
            }
        }
    });
}

inline void attention_copy_pages(const Runtime& runtime, void* cache, const int32_t* copies, int64_t count, int64_t page_bytes) {
    // In order and by one thread: a page may be the destination of one copy and the source of the next.
    (void)runtime;
    for (int64_t i = 0; i < count; i++) {
        char* pages = static_cast<char*>(cache);
        memmove(pages + copies[2 * i + 1] * page_bytes, pages + copies[2 * i] * page_bytes, static_cast<size_t>(page_bytes));
    }
}
