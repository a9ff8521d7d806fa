// Where attention finds rows of a head, and which of them a block takes.
//
// A row of a query is one head of one token. The rows of a sequence that share a key-value head are numbered token by token and,
// within a token, head by head of the group: neighbours read the same keys, so a tile of rows spans few tokens and reaches little
// beyond the diagonal, and the rows of a decoded token are a tile of their own.
#ifndef LUFFY_CUDA_ATTENTION_ROWS_H
#define LUFFY_CUDA_ATTENTION_ROWS_H

#include "../../../common/kernels.h"
#include "../../device/platform.h"
#include "../attention.h"

namespace luffy::attention {

constexpr float log2_e = 1.44269504f;

struct Geometry {
    int heads, kv_heads, group, head_dim;
    float scale, power; // power = scale · log₂ e

    explicit Geometry(const lf_attention_shape& shape)
        : heads(shape.heads), kv_heads(shape.kv_heads), group(shape.heads / shape.kv_heads), head_dim(shape.head_dim),
          scale(shape.scale), power(shape.scale * log2_e) {}

    // Elements of a token in packed rows.
    __host__ __device__ int64_t packed_row() const { return (int64_t{heads} + 2 * kv_heads) * head_dim; }
    __host__ __device__ int64_t page_elements() const { return int64_t{2} * kv_heads * page_size * head_dim; }
};

template <class T> struct ForwardCall {
    T* y;
    float* log_sum_exp; // or null
    const T* qkv;
    const int32_t* starts;
    int sequences;
    const T* cache; // null: keys are those of qkv
    const int32_t* page_table;
    const int32_t* contexts;
    int64_t table_stride;
    Geometry shape;
    bool aligned; // rows of every tensor are whole pieces of 16 bytes
    bool decodes; // whether few rows are decoded, rather than passed through the kernel for prompts, to the same bits

    // True where a sequence's rows share a tensor-core tile; those of one token always are decoded.
    __host__ __device__ bool is_decoded(int tokens) const {
        return decodes && (tokens == 1 || tokens * shape.group <= tile_rows);
    }
};

// A tile of rows of one sequence. Rows beyond the sequence's end are there too.
struct RowTile {
    int sequence, begin, tokens, first;
};

// The tile of this block. Tiles start at each sequence's first row. A sequence is given ⌊end / Rows⌋ − ⌊begin / Rows⌋ + 1 of
// them, at least as many as it needs, so that the host needs to know no lengths; the last tiles, which have the most keys before
// them, come first.
inline int tile_count(int64_t tokens, int sequences, int rows_of_token, int rows) {
    return static_cast<int>(tokens * rows_of_token / rows) + sequences;
}

template <int Rows> LF_DEVICE int first_tile(const int32_t* starts, int sequence, int rows_of_token) {
    return static_cast<int>(static_cast<int64_t>(starts[sequence]) * rows_of_token / Rows) + sequence;
}

template <int Rows> LF_DEVICE RowTile find_tile(const int32_t* starts, int sequences, int rows_of_token) {
    const int tile = static_cast<int>(gridDim.x - 1 - blockIdx.x);
    int low = 0, high = sequences;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (first_tile<Rows>(starts, middle, rows_of_token) <= tile) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const int begin = starts[low];
    return {low, begin, starts[low + 1] - begin, (tile - first_tile<Rows>(starts, low, rows_of_token)) * Rows};
}

// Where a row lies, and what belongs to it in another matrix.
template <class T> struct RowPair { T *a, *b; };

// Rows of queries, or of what has their shape.
template <class T> struct QueryRows {
    T* first;
    int64_t token_stride;
    int group, head_dim;

    LF_DEVICE T* row(int index) const {
        const unsigned token = static_cast<unsigned>(index) / static_cast<unsigned>(group);
        const unsigned head = static_cast<unsigned>(index) - token * static_cast<unsigned>(group);
        return first + token * token_stride + head * static_cast<unsigned>(head_dim);
    }
};

// Rows of queries and the same of dy.
template <class T> struct QueryPairs {
    QueryRows<T> queries;
    T* upstream;
    int64_t upstream_stride;

    LF_DEVICE RowPair<T> row(int index) const {
        const unsigned token = static_cast<unsigned>(index) / static_cast<unsigned>(queries.group);
        const unsigned head = static_cast<unsigned>(index) - token * static_cast<unsigned>(queries.group);
        const unsigned column = head * static_cast<unsigned>(queries.head_dim);
        return {queries.first + token * queries.token_stride + column, upstream + token * upstream_stride + column};
    }
};

// Keys and values of a sequence in packed rows.
template <class T> struct PackedRows {
    T* first;
    int64_t stride;
    int value_shift; // from a key to its value

    LF_DEVICE RowPair<T> row(int index) const {
        T* const key = first + index * stride;
        return {key, key + value_shift};
    }
};

// Keys and values of a sequence in the cache: [pages][keys, values][key-value heads][tokens of a page][D].
template <class T> struct PagedRows {
    const T* first;       // of page 0
    const int32_t* pages; // of the sequence from page `first_page` on
    int first_page;
    int64_t page_elements;
    int head_dim, value_shift;

    LF_DEVICE RowPair<const T> row(int index) const {
        const unsigned place = static_cast<unsigned>(index);
        const T* const key = first + pages[place / page_size - static_cast<unsigned>(first_page)] * page_elements +
                             place % page_size * static_cast<unsigned>(head_dim);
        return {key, key + value_shift};
    }
};

template <class T> LF_DEVICE QueryRows<T> query_rows(T* qkv, const RowTile& tile, int kv_head, const Geometry& shape) {
    const int64_t first = tile.begin * shape.packed_row() + static_cast<int64_t>(kv_head) * shape.group * shape.head_dim;
    return {qkv + first, shape.packed_row(), shape.group, shape.head_dim};
}

// Rows of y or dy.
template <class T> LF_DEVICE QueryRows<T> output_rows(T* y, const RowTile& tile, int kv_head, const Geometry& shape) {
    const int64_t row = static_cast<int64_t>(shape.heads) * shape.head_dim;
    return {y + tile.begin * row + static_cast<int64_t>(kv_head) * shape.group * shape.head_dim, row, shape.group,
            shape.head_dim};
}

template <class T> LF_DEVICE QueryPairs<T> query_pairs(T* qkv, T* dy, const RowTile& tile, int kv_head, const Geometry& shape) {
    const QueryRows<T> upstream = output_rows(dy, tile, kv_head, shape);
    return {query_rows(qkv, tile, kv_head, shape), upstream.first, upstream.token_stride};
}

template <class T> LF_DEVICE PackedRows<T> packed_rows(T* qkv, const RowTile& tile, int kv_head, const Geometry& shape) {
    const int64_t first = tile.begin * shape.packed_row() + static_cast<int64_t>(shape.heads + kv_head) * shape.head_dim;
    return {qkv + first, shape.packed_row(), shape.kv_heads * shape.head_dim};
}

template <class T>
LF_DEVICE PagedRows<T> paged_rows(const T* cache, const int32_t* pages, int first_page, int kv_head, const Geometry& shape) {
    return {cache + static_cast<int64_t>(kv_head) * page_size * shape.head_dim,
            pages,
            first_page,
            shape.page_elements(),
            shape.head_dim,
            shape.kv_heads * page_size * shape.head_dim};
}

} // namespace luffy::attention

#endif
