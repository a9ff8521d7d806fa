// PolicyLoss: LM head, log-softmax, entropy, the mixed-policy objective and their gradients; the contract is
// src/Luffy.Kernels/Ops/PolicyLoss.cs.
//
// Rows go through in chunks whose softmax fits a store of a fixed size:
//  1. logits: hidden·headᵀ by tiles that exist in registers and, a vocabulary block of 128 tokens at a time, in shared
//     memory. Each row leaves the block's sums of the log-sum-exp, the target's logit and, where there is a gradient to
//     come, e^(z − block maximum) in bf16 in the store (f32: the scaled logits themselves).
//  2. evaluate: a block of threads a row. The blocks' sums give log-prob and entropy, these the objective, in f64, and that
//     the row's terms.
//  3. differentiate: the store becomes the logits' gradient dz in place, in the storage of hidden.
//  4. dHead += dzᵀ·hidden and dHidden = dz·head by the products of ops/product.h: a chain over the rows and one over the
//     vocabulary, neither of which shows chunks.
// Kept terms take the place of logits worked out a second time: 6·R·H·V operations instead of 8·R·H·V.
//
// Tiles of step 1, with the chains that Linear's products have in the same context:
//  - wgmma: 128 × 256, two warpgroups of 128 sums a thread and one that loads, 3 stages of 48 KB; beside them 68 KB for one
//    vocabulary block of 128 rows, of which each warp writes, reduces and stores its own 16 and waits for nobody. 214 KB,
//    one block a multiprocessor, which takes tile after tile while loads run ahead. What reduces does not fit beside the 64
//    sums that wait for their turn in the 168 registers that each of 384 threads may have: the threads that load hand theirs
//    over.
//  - mma.sync: 128 × 128, 8 warps, 2 stages of 32 KB, over which the logits are written: 68 KB and 122 registers, two blocks
//    a multiprocessor, of which one multiplies while the other reduces.
//  - fma (f32): 128 × 128, 256 threads, the logits over the stages.
//  Few rows have lower tiles of the same chains.
//
// What it costs, by counting; no GPU has measured it. At R = 8,192, H = 4,096, V = 131,072 the three products are 26.4 TFLOP:
// 38 ms at 700 TFLOP/s. What comes on top:
//  - the reduction of step 1, 22 instructions a logit: some 8,000 cycles of a tile of 128 × 256 whose products take 65,500 at
//    best, while wgmma's tensor cores wait: 1.5 ms;
//  - steps 1 and 3 write the store, and read and write it: 6 bytes a logit, 2 ms;
//  - dHead is read and written once a chunk: 1.4 ms each.
// Together some 44 ms: 600 TFLOP/s of the products, or 800 in the 8·R·H·V of benchmarks that count logits worked out twice. A
// small H makes steps 1 and 3 weigh more: at H = 1,536 what comes on top is a quarter of the time.
// Extra memory: the store, 16 bytes of sums for each row and vocabulary block, 36 bytes a row: 1.1 GB at the shape above.
#ifndef LUFFY_CUDA_OPS_POLICY_LOSS_H
#define LUFFY_CUDA_OPS_POLICY_LOSS_H

#include "../device/log_softmax.h"
#include "../runtime.h"

namespace luffy {

// A chunk of 4,096 rows at V = 131,072, of 3,456 at V = 151,936: enough rows that dHead's products are long beside its bytes.
constexpr int64_t policy_store_bytes = int64_t{1} << 30;

// Chunks are multiples of it: whole tiles, and whole steps of a chain over rows.
constexpr int64_t chunk_step = 128;

// From one row of logits in shared memory to the next, in floats: rows 8 banks apart, so that the pairs that half a warp writes,
// two in each of four rows, and the pieces that 8 lanes read of one row lie in different banks.
constexpr int logit_pitch = vocabulary_block + 8;

constexpr int differentiate_threads = 256;

// What the table's functions call with policy_store_bytes; the dtype is that of hidden and head. How large the store is shows in
// no bit.
int64_t policy_loss_scratch_bytes(int32_t dtype, int64_t rows, int64_t vocabulary, int64_t store_bytes);
void policy_loss_in_store(const Runtime& runtime, int32_t dtype, const PolicyArguments& arguments, int64_t store_bytes);

} // namespace luffy

#endif
