// Rope turns pairs of elements in place: what bounds it is memory.
#ifndef LUFFY_CUDA_ROPE_H
#define LUFFY_CUDA_ROPE_H

namespace luffy {

// Threads of a block; each turns a part of 16 bytes and the part half a head further on. The table's cosines and sines are f32,
// so of bf16 heads a thread reads four parts of the table for two of the tokens; those come from the caches, for every head of a
// token reads the same.
constexpr int rope_threads = 256;

} // namespace luffy

#endif
