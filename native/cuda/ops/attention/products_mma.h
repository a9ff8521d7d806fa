// The products of the forward pass by mma.sync, which every GPU since compute capability 8.0 has: a warp's 16 rows, keys and
// values by ldmatrix.
#ifndef LUFFY_CUDA_ATTENTION_PRODUCTS_MMA_H
#define LUFFY_CUDA_ATTENTION_PRODUCTS_MMA_H

#include "tiles_bf16.h"

namespace luffy::attention {

struct MmaProducts {
    using Layout = PaddedLayout;
    static constexpr int rows = tile_rows; // that take their steps together
    static constexpr int least_width = 32;
    static constexpr int alignment = 16; // of tiles, in bytes
    // Whether a tile of queries is in registers once Queries has been made of it.
    template <int Width> static constexpr bool keeps_queries = Width <= 128;

    // A warp's queries of a tile of Rows rows. Those of 256 elements are read again for each block of keys.
    template <int Width, int Rows> struct Queries : ChosenRows<keeps_queries<Width>, tile_stride<Width>, Width / 16>::Type {
        using Base = typename ChosenRows<keeps_queries<Width>, tile_stride<Width>, Width / 16>::Type;
        LF_DEVICE explicit Queries(const bf16* tile) : Base(tile + warp_index() * tile_rows * tile_stride<Width>) {}
    };

    // Between the arrival of a thread's copies and the barrier that tells the others.
    LF_DEVICE static void publish() {}

    // scores = queries · keysᵀ.
    template <int Width, int Rows>
    LF_DEVICE static void multiply(float (&scores)[key_block / 8][4], const Queries<Width, Rows>& queries, const bf16* keys) {
        multiply_rows<tile_stride<Width>, Width / 16>(scores, queries, keys);
    }

    // output += weights, rounded, · values.
    template <int Columns>
    LF_DEVICE static void add_values(float (&output)[Columns / 8][4], const float (&weights)[key_block / 8][4],
                                     const bf16* values) {
        add_weighted_rows<tile_stride<Columns>>(output, weights, values);
    }
};

} // namespace luffy::attention

#endif
