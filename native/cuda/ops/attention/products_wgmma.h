// The products of the forward pass by wgmma, Hopper's matrix instruction: the 64 rows of four warps, queries, keys and values
// straight from shared memory, weights from registers. A warp's part of the sums lies in its registers as that of mma.sync does.
//
// Tiles are panels of 64 columns, a line of 128 bytes a row, whose pieces of 16 bytes are permuted by the row's number
// (hopper.h). Queries and keys are K-major operands: a line is a row or a key, 16 columns are 32 bytes of it. Values are
// MN-major: a line is a key, 16 keys are two groups of eight lines, and 64 columns on is the next panel. Ordinary cp.async brings
// them, because pages are 16 keys long.
#ifndef LUFFY_CUDA_ATTENTION_PRODUCTS_WGMMA_H
#define LUFFY_CUDA_ATTENTION_PRODUCTS_WGMMA_H

#include "../../device/hopper.h"
#include "tiles_bf16.h"

namespace luffy::attention {

constexpr int panel_columns = 64, group_bytes = 8 * panel_columns * 2; // of eight lines

struct PanelLayout {
    template <int Rows, int Columns> static constexpr int elements = Rows* Columns;
    template <int Rows, int Columns> LF_DEVICE static int offset(int row, int column) {
        static_assert(Rows % 8 == 0 && Columns % panel_columns == 0);
        const int piece = column / 8 % 8 ^ row % 8;
        return column / panel_columns * (Rows * panel_columns) + row * panel_columns + piece * 8;
    }
};

struct WgmmaProducts {
    using Layout = PanelLayout;
    static constexpr int rows = 64;
    static constexpr int least_width = panel_columns;
    static constexpr int alignment = group_bytes;
    template <int Width> static constexpr bool keeps_queries = false;

    template <int Width, int Rows> struct Queries {
        const bf16* first; // of the warpgroup
        LF_DEVICE explicit Queries(const bf16* tile) : first(tile + warp_index() / 4 * rows * panel_columns) {}
    };

    // wgmma reads by another way than ordinary accesses and cp.async write.
    LF_DEVICE static void publish() { async_fence(); }

    template <int Width, int Rows>
    LF_DEVICE static void multiply(float (&scores)[key_block / 8][4], const Queries<Width, Rows>& queries, const bf16* keys) {
        auto& sums = reinterpret_cast<float(&)[key_block / 2]>(scores);
#pragma unroll
        for (int i = 0; i < key_block / 2; i++) sums[i] = 0;
        wgmma_fence(sums);
#pragma unroll
        for (int step = 0; step < Width / 16; step++) {
            constexpr int steps = panel_columns / 16;
            const int within = step % steps * 16;
            const uint64_t a = matrix_descriptor(queries.first + step / steps * (Rows * panel_columns) + within, 16, group_bytes);
            const uint64_t b = matrix_descriptor(keys + step / steps * (key_block * panel_columns) + within, 16, group_bytes);
            wgmma_bf16<key_block, false, false>(sums, a, b);
        }
        wgmma_commit();
        wgmma_wait<0>(sums);
    }

    template <int Columns>
    LF_DEVICE static void add_values(float (&output)[Columns / 8][4], const float (&weights)[key_block / 8][4],
                                     const bf16* values) {
        auto& sums = reinterpret_cast<float(&)[Columns / 2]>(output);
        uint32_t a[key_block / 16][4];
#pragma unroll
        for (int step = 0; step < key_block / 16; step++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float(&source)[4] = weights[2 * step + i / 2];
                a[step][i] = pack_bf16(source[i % 2 * 2], source[i % 2 * 2 + 1]);
            }
            hold(a[step]);
        }
        wgmma_fence(sums);
#pragma unroll
        for (int step = 0; step < key_block / 16; step++) {
            const uint64_t b = matrix_descriptor(values + step * 16 * panel_columns, key_block * panel_columns * 2, group_bytes);
            wgmma_bf16<Columns, true>(sums, a[step], b);
        }
        wgmma_commit();
        wgmma_wait<0>(sums);
#pragma unroll
        for (int step = 0; step < key_block / 16; step++) hold(a[step]);
    }
};

} // namespace luffy::attention

#endif
