// Sums and maxima over a warp or a block, as trees that are the same whatever the data. Maxima pass over NaNs.
#ifndef LUFFY_CUDA_REDUCE_H
#define LUFFY_CUDA_REDUCE_H

#include "math.h"
#include "platform.h"

namespace luffy {

constexpr unsigned all_lanes = 0xFFFFFFFFu;

// Every lane has the result. Addition commutes, so that the bits are the same in all of them.
template <class T> LF_DEVICE T warp_sum(T value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(all_lanes, value, distance);
    return value;
}

LF_DEVICE float warp_max(float value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value = fmaxf(value, __shfl_xor_sync(all_lanes, value, distance));
    return value;
}

// Every thread of a block of one dimension has the result: a warp's tree, then the same tree over the warps. `shared` has Threads
// / 32 elements, and is free again when this returns.
template <int Threads, class T> LF_DEVICE T block_sum(T value, T* shared) {
    static_assert(Threads % 32 == 0 && Threads <= 1024);
    value = warp_sum(value);
    if constexpr (Threads > 32) {
        const int lane = static_cast<int>(threadIdx.x % 32);
        if (lane == 0) shared[threadIdx.x / 32] = value;
        __syncthreads();
        value = warp_sum(lane < Threads / 32 ? shared[lane] : T(0));
        __syncthreads();
    }
    return value;
}

template <int Threads> LF_DEVICE float block_max(float value, float* shared) {
    static_assert(Threads % 32 == 0 && Threads <= 1024);
    value = warp_max(value);
    if constexpr (Threads > 32) {
        const int lane = static_cast<int>(threadIdx.x % 32);
        if (lane == 0) shared[threadIdx.x / 32] = value;
        __syncthreads();
        value = warp_max(lane < Threads / 32 ? shared[lane] : -infinity());
        __syncthreads();
    }
    return value;
}

} // namespace luffy

#endif
