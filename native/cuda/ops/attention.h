// Attention: causal, grouped queries, packed sequences or pages. The contract is src/Luffy.Kernels/Ops/Attention.cs.
//
// What a result is. A row is one head of one query. Its scores come 64 keys at a time from the sequence's first token on; within
// a chunk of 256 keys runs the online softmax, a step a block of keys; the chunks' sums are then merged in ascending order, as if
// each had been worked out somewhere else, which is what decoding does with them. With bf16 a score is one chain of matrix
// instructions over the head, 16 elements each, and a chunk's output one chain over its keys, of weights rounded to bf16; keys
// that a row does not see weigh exactly 0, so tiles may reach beyond them. Training, prefill and decoding are the same device
// function (forward_bf16.h), and a row's bits do not depend on the tile that it lies in. The instruction is wgmma or mma.sync,
// the context's choice for all of them. With f32 they are chains of fused multiply-adds (forward_f32.cu).
//
// Rows of one key-value head are numbered token by token and within a token head by head (rows.h), in every kernel: a tile of 128
// rows of Qwen2.5-1.5B (6 queries a key) spans 22 tokens, reads each key once for all six heads, and reaches at most a block of
// keys beyond the diagonal; the rows of a decoded token fill 6 of the 16 rows that an mma has anyway.
//
// Tiles, registers (nvcc 12.4 for sm_90a; nothing spills there or for sm_80) and shared memory, bf16:
//   kernel                     head  warps  own rows  other rows, stages  registers  shared memory  blocks an SM of the H100
//   forward, prefill: wgmma     128      8       128              64 × 2        231         97 KiB  1
//                                64      8       128              64 × 2        154         49 KiB  1
//   decode: wgmma               128      4        64              64 × 2        128         81 KiB  2
//                                64      4        64              64 × 2         95         41 KiB  5
//   forward, prefill: mma.sync  128      8       128              64 × 2        255         68 KiB  1
//                                64      8       128              64 × 2        192         36 KiB  1
//   decode: mma.sync            128      1        16              64 × 2        172         72 KiB  3
//                                64      1        16              64 × 2        134         38 KiB  5
//   backward, keys: mma.sync    128      8       128              64 × 2        255        138 KiB  1
//                                64      8       128              64 × 2        228         74 KiB  1
//   backward, queries: mma.sync 128      8       128              64 × 2        240        138 KiB  1
//                                64      8       128              64 × 2        200         74 KiB  1
// Heads of other sizes take the next of 32 (64 with wgmma), 64, 128 and 256 columns, filled up with zeros. Those of more than 128
// have 4 warps, and blocks for either half of their columns, which work out the scores twice: two sums of 16 × 256 of a warp
// would not fit. With mma.sync and up to 128 columns queries stay in registers, and their place is the second stage's.
//
// Blocks of the GPUs of compute capability 8.6 and 8.9 have 99 KiB. Where two stages do not fit into these, heads of 256 columns
// have one; the backward pass of 128 and 256 columns takes 16 other rows a stage (87,424 and 68,352 bytes), with two warps rather
// than four for 256. Sums go over the same rows in the same steps, so the bits are those of the large tiles. In f32 heads of more
// than 128 elements do not fit, and are refused.
//
// Why so. Two sums a row (its chunk's and the merged one) of 128 columns take 128 of a thread's 255 registers with 16 rows a
// warp, and 32 rows would not fit. By mma.sync fragments of keys and values are therefore read from shared memory for 16 rows: 32
// KiB for 0.52 MFLOP, 256 cycles of shared memory beside 205 cycles of mma.sync (0.62 of the H100's dense 4,096 FLOP a cycle):
// shared memory bounds it at half of the dense peak. wgmma reads shared memory for 64 rows, and leaves the registers that held
// queries: 1,024 cycles for a block of keys and two warpgroups, of which one works on its softmax (512 cycles of special
// functions for both) while the other multiplies. Tiles of 128 rows for the second-level cache's sake: 3.7 TB/s at 500 TFLOP/s.
// Two stages: a block of keys takes 1,300 cycles, longer than memory takes to answer.
//
// The backward pass has one kernel for gradients of keys and values and one for those of queries, so that every sum has an owner
// and an order: 7 products where one kernel with atomics would have 5. dK and dV of 16 keys a warp are the same 128 registers;
// their scores are worked out transposed, so that weights are left operands without a detour through shared memory.
//
// Expected of an H100, not measured: forward 400–500 TFLOP/s by wgmma at 8,192 tokens and heads of 128, 250–300 by mma.sync;
// backward 180–220 counting 5 products; decoding 70–80% of memory's bandwidth from some 300 chunks on.
//
// Decoding leaves 130 floats a row and chunk to merge.cu: 5% of the bytes of the keys and values with 6 rows a key-value head. A
// block of keys and values of 32 KiB is always on its way to each of two or more blocks of an SM: three times what hides memory's
// latency. With wgmma three of the four warps multiply rows that are not there: the price of the bits, 1,100 cycles for 32 KiB
// that take memory 2,200.
//
// f32 is for checks and small models: 64 × 64 tiles forward (4 × 4 scores a thread), 32 × 32 backward; shared memory bounds both.
#ifndef LUFFY_CUDA_OPS_ATTENTION_H
#define LUFFY_CUDA_OPS_ATTENTION_H

#include "../../include/luffy_kernels.h"

namespace luffy::attention {

// Part of the result's definition, and counted from the sequence's first token.
constexpr int key_block = 64;   // keys of a step of the softmax
constexpr int chunk_keys = 256; // keys whose sums are worked out apart: a block of its own in decoding

constexpr int page_size = LF_PAGE_SIZE;
constexpr int tile_rows = 16; // a warp's own rows

// What tiles may take of a block's shared memory where it has least, compute capability 8.6, 8.9 and 12.x: 99 KiB, of which the
// kernels have a little more by other names.
constexpr int least_shared_bytes = 98 * 1024;

// The width of a head's tiles: columns beyond the head's end are zeros.
constexpr int padded_width(int head_dim, int least) {
    const int width = head_dim <= 32 ? 32 : head_dim <= 64 ? 64 : head_dim <= 128 ? 128 : 256;
    return width < least ? least : width;
}

// Columns of a head that a block has sums of.
template <int Width> constexpr int output_columns = Width < 128 ? Width : 128;

template <int Width> constexpr int block_warps = Width == 256 ? 4 : 8;

// Rows of a stage of the backward pass: queries for the keys' gradients, keys for the queries'.
template <int Width> constexpr int backward_stage = Width == 256 ? 32 : 64;

} // namespace luffy::attention

#endif
