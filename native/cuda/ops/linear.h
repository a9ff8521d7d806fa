// Linear: y = x·Wᵀ (+ b) and its gradients. The contract is src/Luffy.Kernels/Ops/Linear.cs; the products, their tiles and the
// reason for each are in product.h. The packed form of a weight is its rows.
//
// The bias's gradient, Σ_t dy[t, :], is a chain of additions for each column over ascending t: a block for 32 columns, whose 8
// warps bring 64 rows at a time through shared memory while its first warp, a lane a column, adds up the 64 before. 4 cycles an
// addition: some 40 µs for 16,384 rows, however many columns, beside a product of several hundred. Only Qwen's qkv has a bias.
#ifndef LUFFY_CUDA_OPS_LINEAR_H
#define LUFFY_CUDA_OPS_LINEAR_H

namespace luffy {

constexpr int bias_columns = 32; // of a block: a warp's lanes
constexpr int bias_rows = 64;    // of a stage
constexpr int bias_warps = 8;

} // namespace luffy

#endif
