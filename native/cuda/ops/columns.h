// Columns are moved, each element once: what bounds it is memory.
#ifndef LUFFY_CUDA_COLUMNS_H
#define LUFFY_CUDA_COLUMNS_H

namespace luffy {

// Threads of a block, each with a part of 16 bytes at a time, as swiglu_threads says.
constexpr int columns_threads = 256;

} // namespace luffy

#endif
