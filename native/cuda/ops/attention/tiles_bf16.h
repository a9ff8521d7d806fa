// Tiles of bf16 rows in shared memory and their products by tensor cores. A warp has 16 rows of its own.
//
// Fragments of mma.sync.m16n8k16 (PTX ISA, "Matrix Fragments for mma.m16n8k16"), lane = 4·g + t: sums hold rows g (elements 0, 1)
// and g + 8 (2, 3) at columns 2t and 2t + 1 of 8; so two neighbouring tiles of sums, rounded, are the left operand of a product
// over their 16 columns.
#ifndef LUFFY_CUDA_ATTENTION_TILES_BF16_H
#define LUFFY_CUDA_ATTENTION_TILES_BF16_H

#include "../../device/elements.h"
#include "../../device/matrix.h"
#include "rows.h"

namespace luffy::attention {

// Elements from a row to the next: 16 bytes more than a row, so that the 8 rows that ldmatrix takes together lie in different
// banks (a row's bytes are a multiple of 64).
template <int Columns> constexpr int tile_stride = Columns + 8;

// Where an element of a tile lies that ldmatrix reads.
struct PaddedLayout {
    template <int Rows, int Columns> static constexpr int elements = Rows* tile_stride<Columns>;
    template <int Rows, int Columns> LF_DEVICE static int offset(int row, int column) {
        return row * tile_stride<Columns> + column;
    }
};

LF_DEVICE int lane_index() { return static_cast<int>(threadIdx.x) % 32; }
LF_DEVICE int warp_index() { return static_cast<int>(threadIdx.x) / 32; }

// Eight elements of a row, zeros beyond its end, and zeros where not valid.
LF_DEVICE void load_piece(bf16* to, const bf16* row, int column, int head_dim, bool valid, bool aligned) {
    valid = valid && column < head_dim;
    if (aligned) {
        copy_async_16(to, row + (valid ? column : 0), valid);
    } else {
        for (int e = 0; e < 8; e++) to[e] = valid && column + e < head_dim ? row[column + e] : bf16{0};
    }
}

// Rows first … first + Rows − 1 of `count` of two sources: zeros where they end. Whoever reads the tiles waits for asynchronous
// copies and at a barrier. `b` may hold fewer columns, from first_column on.
template <class Layout, int Rows, int Columns, int ColumnsB, int Threads, class Sources>
LF_DEVICE void load_tiles(bf16* a, bf16* b, const Sources& sources, int first, int count, int first_column, int head_dim,
                          bool aligned) {
    constexpr int pieces = Columns / 8, steps = Rows * pieces / Threads;
    static_assert(Rows * pieces % Threads == 0);
    // More addresses at a time would cost registers that the sums need.
#pragma unroll(steps > 2 ? 2 : steps)
    for (int i = 0; i < steps; i++) {
        const int at = static_cast<int>(threadIdx.x) + i * Threads, row = at / pieces, column = at % pieces * 8;
        const auto from = sources.row(min(first + row, count - 1));
        const bool valid = first + row < count;
        load_piece(a + Layout::template offset<Rows, Columns>(row, column), from.a, column, head_dim, valid, aligned);
        if (ColumnsB < Columns && (column < first_column || column >= first_column + ColumnsB)) continue;
        load_piece(b + Layout::template offset<Rows, ColumnsB>(row, column - first_column), from.b, column, head_dim, valid,
                   aligned);
    }
}

// The same of one source.
template <class Layout, int Rows, int Columns, int Threads, class Source>
LF_DEVICE void load_tile(bf16* tile, const Source& source, int first, int count, int head_dim, bool aligned) {
    constexpr int pieces = Columns / 8;
    static_assert(Rows * pieces % Threads == 0);
#pragma unroll 2
    for (int i = 0; i < Rows * pieces / Threads; i++) {
        const int at = static_cast<int>(threadIdx.x) + i * Threads, row = at / pieces, column = at % pieces * 8;
        load_piece(tile + Layout::template offset<Rows, Columns>(row, column), source.row(min(first + row, count - 1)), column,
                   head_dim, first + row < count, aligned);
    }
}

// Rows of this warp's tile go to target(row), columns from first_column on.
template <int Columns, int Stride, class Target>
LF_DEVICE void store_rows(const Target& target, const bf16* tile, int first, int count, int first_column, int head_dim,
                          bool aligned) {
    constexpr int pieces = Columns / 8;
#pragma unroll
    for (int i = 0; i < tile_rows * pieces / 32; i++) {
        const int at = lane_index() + i * 32, row = at / pieces, piece = at % pieces * 8, column = first_column + piece;
        if (first + row >= count || column >= head_dim) continue;
        bf16* const to = target(first + row) + column;
        const bf16* const from = tile + row * Stride + piece;
        if (aligned) {
            store_vector(to, load_vector<8>(from));
        } else {
            for (int e = 0; e < 8 && column + e < head_dim; e++) to[e] = from[e];
        }
    }
}

// Rounds a warp's sums, times one factor for rows g and one for rows g + 8, to a tile of 16 rows of its own. Zeros are positive.
template <int Stride, int Tiles>
LF_DEVICE void round_rows(bf16* tile, const float (&sums)[Tiles][4], float factor0, float factor1) {
    bf16* const at = tile + lane_index() / 4 * Stride + lane_index() % 4 * 2;
#pragma unroll
    for (int n = 0; n < Tiles; n++) {
        *reinterpret_cast<uint32_t*>(at + 8 * n) = pack_bf16(fmaf(sums[n][0], factor0, 0.0f), fmaf(sums[n][1], factor0, 0.0f));
        *reinterpret_cast<uint32_t*>(at + 8 * Stride + 8 * n) =
            pack_bf16(fmaf(sums[n][2], factor1, 0.0f), fmaf(sums[n][3], factor1, 0.0f));
    }
}

// A warp's own 16 rows, as left operands: read again for each product,
template <int Stride, int Steps> struct SharedRows {
    const bf16* lane; // where this lane reads

    LF_DEVICE explicit SharedRows(const bf16* rows) : lane(rows + lane_index() % 16 * Stride + lane_index() / 16 * 8) {}
    LF_DEVICE void fragment(uint32_t (&a)[4], int step) const { load_matrix_x4(a, lane + 16 * step); }
};

// or kept in registers.
template <int Stride, int Steps> struct KeptRows {
    uint32_t fragments[Steps][4];

    LF_DEVICE explicit KeptRows(const bf16* rows) {
        const SharedRows<Stride, Steps> shared(rows);
#pragma unroll
        for (int step = 0; step < Steps; step++) shared.fragment(fragments[step], step);
    }

    LF_DEVICE void fragment(uint32_t (&a)[4], int step) const {
#pragma unroll
        for (int i = 0; i < 4; i++) a[i] = fragments[step][i];
    }
};

template <bool Kept, int Stride, int Steps> struct ChosenRows { using Type = SharedRows<Stride, Steps>; };
template <int Stride, int Steps> struct ChosenRows<true, Stride, Steps> { using Type = KeptRows<Stride, Steps>; };

// Two neighbouring tiles of sums += a · b, b as ldmatrix brings it.
LF_DEVICE void multiply_pair(float (&low)[4], float (&high)[4], const uint32_t (&a)[4], const uint32_t (&b)[4]) {
    const uint32_t b_low[2] = {b[0], b[1]}, b_high[2] = {b[2], b[3]};
    mma_bf16(low, a, b_low);
    mma_bf16(high, a, b_high);
}

// dots[16 own rows][8·Tiles other rows] = own · otherᵀ: each element one chain over ascending columns in steps of 16. The other
// rows are read a pair of tiles ahead of the tensor cores.
template <int Stride, int Steps, int Tiles, class Own>
LF_DEVICE void multiply_rows(float (&dots)[Tiles][4], const Own& own, const bf16* other) {
    constexpr int pairs = Tiles / 2;
    const int lane = lane_index();
    const bf16* const at = other + (lane % 8 + lane / 16 * 8) * Stride + lane / 8 % 2 * 8;
#pragma unroll
    for (int n = 0; n < Tiles; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) dots[n][e] = 0;
    uint32_t a[4], b[2][4];
    load_matrix_x4(b[0], at);
#pragma unroll
    for (int i = 0; i < Steps * pairs; i++) {
        const int next = i + 1, pair = i % pairs;
        if (next < Steps * pairs) load_matrix_x4(b[next % 2], at + next % pairs * 16 * Stride + next / pairs * 16);
        if (pair == 0) own.fragment(a, i / pairs);
        multiply_pair(dots[2 * pair], dots[2 * pair + 1], a, b[i % 2]);
    }
}

// sums[16 own rows][8·Tiles columns] += weights[16 own rows][8·Weights other rows], rounded, · other: chains over ascending rows
// in steps of 16.
template <int Stride, int Tiles, int Weights>
LF_DEVICE void add_weighted_rows(float (&sums)[Tiles][4], const float (&weights)[Weights][4], const bf16* other) {
    constexpr int pairs = Tiles / 2, steps = Weights / 2;
    const int lane = lane_index();
    const bf16* const at = other + lane % 16 * Stride + lane / 16 * 8;
    uint32_t a[4], b[2][4];
    load_matrix_x4_transposed(b[0], at);
#pragma unroll
    for (int i = 0; i < steps * pairs; i++) {
        const int next = i + 1, pair = i % pairs, step = i / pairs;
        if (next < steps * pairs) load_matrix_x4_transposed(b[next % 2], at + next / pairs * 16 * Stride + next % pairs * 16);
        if (pair == 0) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const float(&source)[4] = weights[2 * step + e / 2];
                a[e] = pack_bf16(source[e % 2 * 2], source[e % 2 * 2 + 1]);
            }
        }
        multiply_pair(sums[2 * pair], sums[2 * pair + 1], a, b[i % 2]);
    }
}

} // namespace luffy::attention

#endif
