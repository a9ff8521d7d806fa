// The paged key-value cache. A page holds, for each key-value head, the panel of its keys and then the lines of its values
// (tiles.inl), so that attention multiplies straight from it.

template <class T> struct PageLayout {
    using E = ElementOf<T>;
    using Panel = typename E::Panel;
    int64_t d, width, value_offset, head; // the last two in elements of Panel

    explicit PageLayout(const lf_attention_shape& shape)
        : d(shape.head_dim), width(padded(shape.head_dim)), value_offset(units_of<E>(shape.head_dim) * panel_keys),
          head(value_offset + panel_keys / E::step * width) {}

    void store_key(Panel* page, int64_t offset, const T* key) const {
        for (int64_t u = 0; u < units_of<E>(d); u++) {
            T pair[2] = {key[u * E::step], {}};
            if (E::step == 2 && u * E::step + 1 < d) pair[1] = key[u * E::step + 1];
            memcpy(page + u * panel_keys + offset, pair, sizeof(Panel));
        }
    }
    // What a pair's other half holds stays: where it is no key of the reader's, the reader leaves it out.
    void store_value(Panel* page, int64_t offset, const T* value) const {
        T* line = reinterpret_cast<T*>(page + value_offset + offset / E::step * width) + offset % E::step;
        for (int64_t i = 0; i < d; i++) line[i * E::step] = value[i];
    }
};

template <class T> int64_t attention_page_bytes(const lf_attention_shape& shape) {
    return shape.kv_heads * PageLayout<T>(shape).head * static_cast<int64_t>(sizeof(typename PageLayout<T>::Panel));
}

template <class T>
void attention_store(const Runtime& runtime, void* cache, const void* qkv, const int32_t* slots, int64_t tokens,
                     const lf_attention_shape& shape) {
    const int64_t d = shape.head_dim, row = packed_heads(shape) * d;
    const PageLayout<T> layout(shape);
    parallel_ranges(runtime, tokens, 1 + 16384 / row, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; t++) {
            for (int64_t h = 0; h < shape.kv_heads; h++) {
                const int64_t page = slots[t] / LF_PAGE_SIZE, offset = slots[t] % LF_PAGE_SIZE;
                auto* head = static_cast<typename PageLayout<T>::Panel*>(cache) + (page * shape.kv_heads + h) * layout.head;
                const T* key = static_cast<const T*>(qkv) + t * row + (shape.heads + h) * d;
                layout.store_key(head, offset, key);
                layout.store_value(head, offset, key + shape.kv_heads * d);
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

// Where a sequence's keys and values lie: in packed rows, which become panels and lines block by block, or in pages.
template <class T> struct KeyValueSource {
    const T* keys; // of the sequence's first token; values follow at value_offset. Null where pages are used
    int64_t row_stride, value_offset;
    const typename PageLayout<T>::Panel* pages; // of the head
    const int32_t* table;
    int64_t page_stride;

    const typename PageLayout<T>::Panel* page_of(int64_t key) const { return pages + table[key / LF_PAGE_SIZE] * page_stride; }
};

template <class T> KeyValueSource<T> key_values(const AttentionArguments& a, int64_t sequence, int64_t kv_head) {
    const int64_t d = a.shape.head_dim, row = packed_heads(a.shape) * d;
    KeyValueSource<T> source{nullptr, row, int64_t{a.shape.kv_heads} * d, nullptr, nullptr, 0};
    if (a.cache == nullptr) {
        source.keys = static_cast<const T*>(a.qkv) + a.query_starts[sequence] * row + (a.shape.heads + kv_head) * d;
    } else {
        const PageLayout<T> layout(a.shape);
        source.pages = static_cast<const typename PageLayout<T>::Panel*>(a.cache) + kv_head * layout.head;
        source.table = a.page_table + sequence * a.table_stride;
        source.page_stride = a.shape.kv_heads * layout.head;
    }
    return source;
}
