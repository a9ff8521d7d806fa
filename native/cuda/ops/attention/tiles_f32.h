// Tiles of f32 rows in shared memory, for blocks of 256 threads: 16 × 16, of which one has a few of a tile's rows and a few of
// another's, or of its columns.
#ifndef LUFFY_CUDA_ATTENTION_TILES_F32_H
#define LUFFY_CUDA_ATTENTION_TILES_F32_H

#include "../../device/elements.h"
#include "rows.h"

namespace luffy::attention {

constexpr int f32_threads = 256, f32_side = 16;

// Floats from a row to the next: 16 bytes more than a row, so that neighbouring rows lie in different banks.
template <int Columns> constexpr int f32_stride = Columns + 4;

// The width of a tile of f32: columns beyond the head's end are zeros.
constexpr int f32_width(int head_dim) { return head_dim <= 64 ? 64 : head_dim <= 128 ? 128 : 256; }

// Rows first … first + Rows − 1 of `count`, which lie at row_of(row): zeros where they end. Columns beyond those that dot_rows
// takes are loaded too, because products with weights take them.
template <int Rows, int Columns, class Source>
LF_DEVICE void load_tile(float* tile, const Source& row_of, int first, int count, int head_dim, bool aligned) {
    for (int at = static_cast<int>(threadIdx.x); at < Rows * Columns / 4; at += f32_threads) {
        const int row = at / (Columns / 4), column = at % (Columns / 4) * 4;
        const float* const from = row_of(min(first + row, count - 1)) + column;
        const bool valid = first + row < count;
        Vector<float, 4> part;
        if (valid && aligned && column < head_dim) {
            part = load_vector<4>(from);
        } else {
            for (int e = 0; e < 4; e++) part[e] = valid && column + e < head_dim ? from[e] : 0.0f;
        }
        store_vector(tile + row * f32_stride<Columns> + column, part);
    }
}

// dots[i][j] = own row (Own·y + i) · other row (x + 16j): chains over ascending columns. `own` is this thread's first row,
// `other` too.
template <int Own, int Other, int Stride>
LF_DEVICE void dot_rows(float (&dots)[Own][Other], const float* own, const float* other, int head_dim) {
#pragma unroll
    for (int i = 0; i < Own; i++)
#pragma unroll
        for (int j = 0; j < Other; j++) dots[i][j] = 0;
    for (int column = 0; column < head_dim; column += 4) {
        Vector<float, 4> a[Own], b[Other];
#pragma unroll
        for (int i = 0; i < Own; i++) a[i] = load_vector<4>(own + i * Stride + column);
#pragma unroll
        for (int j = 0; j < Other; j++) b[j] = load_vector<4>(other + j * f32_side * Stride + column);
#pragma unroll
        for (int i = 0; i < Own; i++)
#pragma unroll
            for (int j = 0; j < Other; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) dots[i][j] = fmaf(a[i][e], b[j][e], dots[i][j]);
    }
}

// sums[i][c] += Σ weights[i][row] · other[row][4x + 64c …]: chains over ascending rows. `weights` is the thread's first row of
// them, `other` its first column.
template <int Own, int Parts, int Rows, int WeightStride, int Stride>
LF_DEVICE void add_weighted_rows(float (&sums)[Own][Parts][4], const float* weights, const float* other) {
#pragma unroll 1
    for (int row = 0; row < Rows; row += 4) {
        Vector<float, 4> weight[Own];
#pragma unroll
        for (int i = 0; i < Own; i++) weight[i] = load_vector<4>(weights + i * WeightStride + row);
#pragma unroll
        for (int r = 0; r < 4; r++)
#pragma unroll
            for (int c = 0; c < Parts; c++) {
                const Vector<float, 4> value = load_vector<4>(other + (row + r) * Stride + 64 * c);
#pragma unroll
                for (int i = 0; i < Own; i++)
#pragma unroll
                    for (int e = 0; e < 4; e++) sums[i][c][e] = fmaf(weight[i][r], value[e], sums[i][c][e]);
            }
    }
}

// One row's columns 4x + 64c … of a thread, times a factor. Zeros are positive.
template <int Parts> LF_DEVICE void store_row(float* to, const float (&sums)[Parts][4], float factor, int x, int head_dim) {
#pragma unroll
    for (int c = 0; c < Parts; c++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            if (4 * x + 64 * c + e < head_dim) to[4 * x + 64 * c + e] = fmaf(sums[c][e], factor, 0.0f);
}

template <class Body> void with_f32_width(int head_dim, Body&& body) {
    switch (f32_width(head_dim)) {
    case 64:
        return body(std::integral_constant<int, 64>());
    case 128:
        return body(std::integral_constant<int, 128>());
    default:
        return body(std::integral_constant<int, 256>());
    }
}

} // namespace luffy::attention

#endif
