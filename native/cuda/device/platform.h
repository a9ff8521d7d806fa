// What every kernel includes first: CUDA where nvcc compiles, its emulation where a C++ compiler does (LUFFY_CUDA_EMULATION).
#ifndef LUFFY_CUDA_PLATFORM_H
#define LUFFY_CUDA_PLATFORM_H

#if defined(LUFFY_CUDA_EMULATION)
#include "../emulation/cuda.h"
#else
#include <cuda_runtime.h>
// `name` points to the block's dynamic shared memory, aligned to 16 bytes.
#define LUFFY_DYNAMIC_SHARED(type, name)                                                                                         \
    extern __shared__ __align__(16) unsigned char luffy_dynamic_shared[];                                                        \
    type* const name = reinterpret_cast<type*>(luffy_dynamic_shared)
#endif

#include <stddef.h>
#include <stdint.h>

#define LF_DEVICE __device__ __forceinline__
#define LF_HOST_DEVICE __host__ __device__ __forceinline__
// For headers that the cpu's library shares.
#if !defined(LF_INLINE)
#define LF_INLINE static __host__ __device__ __forceinline__
#endif

// Whether this pass of the compiler may use what only sm_90a has. A kernel that needs it is compiled for every architecture, and
// its calls trap where this is 0; the host chooses by the device's compute capability.
#if defined(LUFFY_CUDA_EMULATION) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define LUFFY_CUDA_HOPPER 1
#else
#define LUFFY_CUDA_HOPPER 0
#endif

#endif
