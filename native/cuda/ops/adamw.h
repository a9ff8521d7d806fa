// AdamW reads and writes each number once: what bounds it is memory. 26 bytes an element with bf16 weights and f32 gradients
// (weights, remainders, two moments read and written: 2 + 2 + 4 + 4 twice, and the gradient's 4), 28 with f32 weights, 18 with
// bf16 moments; one of four elements then works out the random words of all, some 100 instructions.
#ifndef LUFFY_CUDA_ADAMW_H
#define LUFFY_CUDA_ADAMW_H

namespace luffy {

// Threads of a block; each has eight elements, so that every access is of 16 bytes: seven of them in flight a thread. Divisions
// and a root are a few dozen instructions an element, which two blocks a multiprocessor hide: as many are asked of the compiler,
// which on sm_80 otherwise takes 64 registers and spills some of the random words.
constexpr int adamw_threads = 256;

// Elements of a block of the norm: a block of threads adds its squares up in f32, then in f64 over threads and blocks.
constexpr int norm_block = 4096;
constexpr int norm_threads = 256;
// One block adds up the blocks' sums: half a million for two thousand million elements.
constexpr int norm_total_threads = 1024;

} // namespace luffy

#endif
