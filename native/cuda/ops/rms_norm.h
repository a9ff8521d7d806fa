// RmsNorm reads its row once and writes it once: what bounds it is memory.
#ifndef LUFFY_CUDA_RMS_NORM_H
#define LUFFY_CUDA_RMS_NORM_H

namespace luffy {

// Forward: a warp has a row, so that nothing waits at a barrier. It holds the row in registers, as 16-byte parts, where that
// takes at most this many a lane: 16 parts are 64 registers and rows of 4,096 elements of bf16 (2,048 of f32). Longer rows, and
// rows that cannot be read 16 bytes at a time, are read twice, the second time from a cache.
constexpr int norm_held_parts = 16;
constexpr int norm_warps = 4;

// Backward: a block has several rows, one after another, because each thread also adds up the weight's gradient for its columns
// over those rows, in registers: 8 sums a part. 128 threads of 4 parts are rows of 4,096 elements of bf16; a block of threads
// takes longer rows by strips of so many.
constexpr int norm_backward_threads = 128;
constexpr int norm_backward_parts = 4;
// Rows of a block, and so of a partial sum: 1/32 of the bytes of dx in f32 partials, written and read, and 256 blocks for 8,192
// rows.
constexpr int norm_backward_rows = 32;
// Threads of a block that adds up the partial sums, each for one column.
constexpr int norm_total_columns = 64;

} // namespace luffy

#endif
