// Embedding copies rows, and adds rows up by their ids: what bounds it is memory.
#ifndef LUFFY_CUDA_EMBEDDING_H
#define LUFFY_CUDA_EMBEDDING_H

namespace luffy {

// Threads of a block of the gather; each copies pieces of 16 bytes.
constexpr int gather_threads = 256;

// Threads of a block of the sum. A block has one id and as many parts of 16 bytes of its row as it has threads: 128 are 1,024
// elements of bf16, so that rows of 1,536 give two blocks, and idle threads are few. Tokens of one id are added one after
// another, several loads ahead of the sum.
constexpr int scatter_threads = 128;
constexpr int scatter_ahead = 4;

} // namespace luffy

#endif
