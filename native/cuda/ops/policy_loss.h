// PolicyLoss: LM head, log-softmax, entropy, the mixed-policy objective and their gradients; the contract is
// src/Luffy.Kernels/Ops/PolicyLoss.cs.
//
// Rows go through in chunks whose softmax fits a store of a fixed size:
//   1. logits       hidden·headᵀ by tiles that exist in registers and, a vocabulary block of 128 tokens at a time, in shared
//   memory. Each
//                   row leaves the block's sums of the log-sum-exp, the target's logit and, where there is a gradient to come,
//                   e^(z − block maximum) in bf16 in the store (f32: the scaled logits themselves).
//   2. evaluate     a block of threads a row: the blocks' sums give log-prob and entropy, these the objective (in f64), that the
//   row's terms.
//   3. differentiate  the store becomes the logits' gradient dz in place, bf16 or f32 as the storage is; the target's from its
//   log-prob.
//   4. dHead += dzᵀ·hidden and dHidden = dz·head: the products of ops/product.h, one chain over the rows and one over the
//   vocabulary,
//                   neither of which shows chunks.
// Kept terms take the place of logits worked out a second time: 6·R·H·V operations instead of 8·R·H·V.
//
// What it costs (by counting; no GPU has measured it). At R = 8,192, H = 4,096, V = 131,072 the three products are 26.4 TFLOP: 38
// ms at 700 TFLOP/s, in the 8·R·H·V of benchmarks that count recomputed logits 920 TFLOP/s. What comes on top:
//   - the epilogue of step 1, 16 logits a lane and step: 12 instructions and an exponential each, 2,000 cycles of the instruction
//     pipelines for 128 × 128 logits of which the tensor cores take 32,800; where two blocks share a multiprocessor (mma.sync: 96
//     KB of stages, which the logits take over; 128 registers) one works on while the other waits, else it adds 6%.
//   - steps 1 and 3 write the store, and read and write it: 6 bytes a logit, 2 ms.
//   - dHead is read and written once a chunk: 1.4 ms each.
// Together some 44 ms, or 800 TFLOP/s so counted if the products keep up their 700, 490 if they are mma.sync's 400.
// A small H makes steps 1 to 3 weigh more: at H = 1,536 their bytes are a fifth of the time.
// Extra memory: the store, 48 bytes of sums a row and 1,024 tokens of the vocabulary, and less than 1 KB a row.
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
