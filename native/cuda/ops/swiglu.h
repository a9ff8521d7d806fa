// SwiGlu reads and writes each element once: what bounds it is memory.
#ifndef LUFFY_CUDA_SWIGLU_H
#define LUFFY_CUDA_SWIGLU_H

namespace luffy {

// Threads of a block. Each has one part of 16 bytes of the gates and one of the ups: two or three loads in flight a thread,
// 2048 threads a multiprocessor, are 64 KB and more on their way, and an H100 needs about 40 KB to hide its memory's latency.
constexpr int swiglu_threads = 256;

} // namespace luffy

#endif
