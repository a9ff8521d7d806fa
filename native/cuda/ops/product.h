// Products of whole matrices, for every operation that needs one: Linear's three, and what PolicyLoss does with its gradients.
//
//     C[m, n] = or += Σ_k A[m, k]·B[n, k] (+ bias[n])
//
// Tiles, and why (product_tiles.h). No GPU has run any of them yet; percentages are counted, not measured.
//
// wgmma (bf16, compute capability 9.0; product_wgmma.cu). One block a multiprocessor, which takes tile after tile; one thread
// loads by TMA, as far ahead as there are stages, into the next tile too. No class spills, and no product waits for one before
// it but for its operands.
//   128 × 256, 2 warpgroups of 64 × 256, 4 stages of 48 KB: a stage takes the tensor cores 1,024 cycles, in which its operands
//     must come from the level-2 cache: 48 bytes a cycle and multiprocessor, some 8 TB/s at 75% of the peak. That, not the
//     tensor cores, is expected to bound it: 60 to 65% of the peak, less a tenth at K = 1,536, where the tensor cores wait
//     while 24 stages' sums are written. Clusters that share a tile by multicast would ask for less; they are not used. 128
//     sums a thread of 168 registers, so that registers need not be moved between warpgroups.
//   128 × 192, 5 stages of 40 KB, and 128 × 128, 6 stages of 32 KB: where 128 × 256 leaves multiprocessors idle, all the time or
//     in a last wave. They ask the cache for an eighth and a third more bytes for the same products.
//   64 × 64, 1 warpgroup, 12 stages of 16 KB: up to 64 rows. Weights stream: 96 KB of them are on their way in a block, five
//     times what 3.35 TB/s ask for at a latency of 0.8 µs.
//   64 × 32, 1 warpgroup, 16 stages of 12 KB: the same where a weight has few rows, N = 1,536 say, for more blocks. Rows of the
//     tile beyond the last are zeros that no memory is read for. Splitting K instead would split chains.
//   Which is taken is what takes the fewest cycles by that count (cycles_of in product_wgmma.cu). For Qwen2.5-1.5B: decoding up
//     to 16 sequences takes the last two, at 100 to 180% of the time that reading the weights takes; training on 4,096 tokens or
//     more at a time takes 128 × 256, or 128 × 192 where N or K of 1,536 make few tiles, which fill the last wave to 80% or
//     more but for the gradient of attention's output weight (62%).
// mma.sync (bf16, compute capability 8.0 and later; product_mma.cu)
//   128 × 128, 8 warps of 64 × 32, 64 terms a stage, 2 stages (64 KB): a stage is 512 mma and, as ldmatrix reads it, 96 KB of
//     shared memory: 768 cycles' worth where the tensor cores of an A100 need 1,024. 64 sums of 128 registers a thread, so that
//     two blocks share a multiprocessor: one multiplies while the other waits for its stage or writes its sums. Expected: 75%
//     of an A100's peak, 50% of an H100's, of which mma.sync reaches no more than 60%.
//   64 × 64, 4 warps of 32 × 32, 3 stages (48 KB): where tiles of 128 × 128 would leave half of the multiprocessors idle.
//   64 × 16, 4 warps of 16 × 16, 128 terms a stage, 4 stages (80 KB): more rows than 16, but so few columns that not even these
//     would occupy half of the multiprocessors.
//   16 × 64, 4 warps of 16 × 16, 128 terms a stage, 4 stages (80 KB): up to 16 rows (decoding). The weight streams through
//     once: 48 KB of it on their way in a block, more than the 20 KB a multiprocessor that 3.35 TB/s ask for at a latency of
//     0.8 µs.
//   16 × 16, 2 warps, 128 terms a stage, 8 stages (64 KB): the same for up to 16 rows. Splitting K instead would split chains.
//     What bounds it is the chain: K / 16 dependent mma of some 33 cycles, 2 µs at K = 1,536 and 11 µs at K = 8,960.
// fma (f32; product_fma.cu)
//   128 × 128, 256 threads of 8 × 8: 64 fused multiply-adds for 4 reads of 16 bytes. Expected: 70% of the f32 peak.
//   16 × 64, 128 threads of 2 × 4: few rows, and small matrices.
#ifndef LUFFY_CUDA_OPS_PRODUCT_H
#define LUFFY_CUDA_OPS_PRODUCT_H

#include "../runtime.h"

#include <cstdint>

namespace luffy {

// How A and B lie in memory.
enum class ProductLayout {
    nt, // A [m, k], B [n, k]: x·Wᵀ
    nn, // A [m, k], B [k, n]: dy·W
    tn  // A [k, m], B [k, n]: dyᵀ·x
};

struct ProductArguments {
    ProductLayout layout;
    int32_t dtype; // of A, B and the bias: LF_F32 or LF_BF16
    const void* a;
    const void* b;
    int64_t a_stride, b_stride; // elements between rows in memory
    int64_t m, n, k;
    void* c; // [m, n]
    int64_t c_stride;
    int32_t c_dtype;
    bool adds;        // += instead of =: chains start from what is there; only where C is f32
    const void* bias; // [n], added to each row at the end, or null
};

// Any shape. An element's bits do not depend on m or on its place (device/product.h says on what assumption); with k = 0, C =
// bias or zero. The choice of the instruction, which may change bits, depends on the context, the dtype and the operands' strides
// alone.
void product(const Runtime& runtime, const char* name, const ProductArguments& arguments);

// Whether product() multiplies such operands of bf16 by wgmma, where it does not leave them to cuBLASLt.
bool multiplies_by_wgmma(const Runtime& runtime, int64_t a_stride, int64_t b_stride, int64_t k);

} // namespace luffy

#endif
