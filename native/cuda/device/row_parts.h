// Rows of any width in parts of 16 bytes, so that a thread has the same elements whether a row can be read 16 bytes at a time or
// not.
#ifndef LUFFY_CUDA_ROW_PARTS_H
#define LUFFY_CUDA_ROW_PARTS_H

#include "elements.h"

#include <initializer_list>

namespace luffy {

template <class T> using RowPart = Vector<T, vector_width<T>>;

// Whether every part of rows of `width` elements at these addresses is whole and aligned.
template <class T> bool has_whole_parts(int64_t width, std::initializer_list<const void*> rows) {
    bool whole = width % vector_width<T> == 0;
    for (const void* row : rows) whole = whole && reinterpret_cast<uintptr_t>(row) % 16 == 0;
    return whole;
}

// Elements i … of a row; those at `width` and beyond are 0.
template <bool Whole, class T> LF_DEVICE RowPart<T> load_part(const T* row, int64_t i, int64_t width) {
    if constexpr (Whole) {
        return load_vector<vector_width<T>>(row + i);
    } else {
        RowPart<T> part;
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++) part[e] = i + e < width ? row[i + e] : T{};
        return part;
    }
}

template <bool Whole, class T> LF_DEVICE void store_part(T* row, int64_t i, int64_t width, const RowPart<T>& part) {
    if constexpr (Whole) {
        store_vector(row + i, part);
    } else {
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++)
            if (i + e < width) row[i + e] = part[e];
    }
}

// Eight elements at addresses that are multiples of 16 bytes.
template <class T> struct Eight { T values[8]; };

template <class T> LF_DEVICE Eight<T> load_eight(const T* p) {
    Eight<T> eight;
#pragma unroll
    for (int i = 0; i < 8; i += vector_width<T>) {
        const RowPart<T> part = load_vector<vector_width<T>>(p + i);
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++) eight.values[i + e] = part[e];
    }
    return eight;
}

template <class T> LF_DEVICE void store_eight(T* p, const Eight<T>& eight) {
#pragma unroll
    for (int i = 0; i < 8; i += vector_width<T>) {
        RowPart<T> part;
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++) part[e] = eight.values[i + e];
        store_vector(p + i, part);
    }
}

} // namespace luffy

#endif
