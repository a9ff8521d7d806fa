// The part of CUDA that the kernels use, for a C++ compiler and a machine without a GPU. Tests only: every thread of a block is a
// fiber, one runs at a time, and blocks run one after another. It is stricter than a GPU: whatever CUDA leaves undefined and can
// be seen here ends the kernel, and the launch returns an error whose text says what happened.
//
// LUFFY_EMULATION_ORDER=forward|reverse|random  the order of threads and of blocks; a missing barrier gives wrong results in one
// of them
#ifndef LUFFY_CUDA_EMULATION_H
#define LUFFY_CUDA_EMULATION_H

#include "fibers.h"
#include "runtime_api.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// One copy for all blocks, because they take turns. The section is filled with 0xFF bytes before each; GCC leaves the variables
// of templates out of it (its bug 41091), so these keep what the block before left.
#define __shared__ static __attribute__((section("luffy_shared")))
#define LUFFY_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(luffy::emulation::dynamic_shared())

template <class T, int N> struct EmulatedVector;
template <class T> struct alignas(sizeof(T) * 2) EmulatedVector<T, 2> { T x, y; };
template <class T> struct alignas(16) EmulatedVector<T, 4> { T x, y, z, w; };
using float2 = EmulatedVector<float, 2>;
using float4 = EmulatedVector<float, 4>;
using int2 = EmulatedVector<int, 2>;
using int4 = EmulatedVector<int, 4>;
using uint2 = EmulatedVector<unsigned, 2>;
using uint4 = EmulatedVector<unsigned, 4>;
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

constexpr int warpSize = 32;

// Arithmetic
template <class T> constexpr T min(T a, T b) { return b < a ? b : a; }
template <class T> constexpr T max(T a, T b) { return a < b ? b : a; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
template <class To, class From> To emulated_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
inline unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
inline int __float_as_int(float x) { return emulated_bits<int>(x); }
inline float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
inline float __int_as_float(int x) { return emulated_bits<float>(x); }
inline long long __double_as_longlong(double x) { return emulated_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return emulated_bits<double>(x); }

// Memory
template <class T> T __ldg(const T* p) { return *p; }
template <class T> T __ldcs(const T* p) { return *p; }
template <class T> void __stcs(T* p, T value) { *p = value; }
inline void __threadfence() {}
inline void __threadfence_block() {}
inline size_t __cvta_generic_to_shared(const void* p) { return luffy::emulation::shared_address(p); }
template <class T> T atomicExch(T* p, T value) {
    const T old = *p;
    *p = value;
    return old;
}
template <class T> T atomicAdd(T* p, T value) {
    static_assert(T(1) / 2 == 0, "the order of a floating-point sum is part of the contract");
    return atomicExch(p, static_cast<T>(*p + value));
}
template <class T> T atomicMax(T* p, T value) { return atomicExch(p, max(*p, value)); }
template <class T> T atomicMin(T* p, T value) { return atomicExch(p, min(*p, value)); }
template <class T> T atomicOr(T* p, T value) { return atomicExch(p, static_cast<T>(*p | value)); }
template <class T> T atomicCAS(T* p, T expected, T value) { return *p == expected ? atomicExch(p, value) : *p; }
[[noreturn]] inline void __trap() { luffy::emulation::fail("the kernel trapped"); }

// Barriers, shuffles and votes. The default arguments tell one call from another: threads that meet must do so at the same line.
namespace luffy::emulation {

struct Exchange {
    void* value; // of this lane, replaced by that of the lane `source`
    size_t size;
    int source;
};
inline void exchange(const Arguments& lanes) {
    uint64_t values[32] = {};
    for (size_t i = 0; i < 32; i++) {
        const Exchange* lane = static_cast<Exchange*>(lanes[i]);
        if (lane != nullptr) memcpy(&values[i], lane->value, lane->size);
    }
    for (void* argument : lanes) {
        if (argument == nullptr) continue;
        Exchange& lane = *static_cast<Exchange*>(argument);
        if (lanes[static_cast<size_t>(lane.source)] == nullptr) fail("a shuffle reads a lane that its mask leaves out");
        memcpy(lane.value, &values[lane.source], lane.size);
    }
}
struct Vote {
    int value;
    unsigned ballot; // of a warp the lanes, of a block the number
};
inline void ballot(const Arguments& lanes) {
    unsigned result = 0;
    for (size_t i = 0; i < 32; i++) {
        if (lanes[i] != nullptr && static_cast<Vote*>(lanes[i])->value != 0) result |= 1u << i;
    }
    for (void* lane : lanes) {
        if (lane != nullptr) static_cast<Vote*>(lane)->ballot = result;
    }
}
inline void count_votes(const Arguments& threads) {
    unsigned count = 0;
    for (void* thread : threads) count += static_cast<Vote*>(thread)->value != 0;
    for (void* thread : threads) static_cast<Vote*>(thread)->ballot = count;
}

template <class T> T shuffle(const char* name, unsigned mask, T value, int source, int line) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    Exchange lane{&value, sizeof value, source};
    meet_warp(name, mask, line, &lane, exchange);
    return value;
}

inline unsigned vote(const char* name, unsigned mask, int value, int line) {
    Vote lane{value, 0};
    meet_warp(name, mask, line, &lane, ballot);
    return lane.ballot;
}

// The lane that a shuffle reads; its own where that would leave the segment of `width` lanes.
inline int shuffle_source(int wanted, int width) {
    const int segment = lane_index() & -width;
    return wanted >= segment && wanted < segment + width ? wanted : lane_index();
}

} // namespace luffy::emulation

#define LF_LINE int line = __builtin_LINE()
inline void __syncthreads(LF_LINE) { luffy::emulation::meet_block("__syncthreads", line, nullptr, nullptr); }
inline int __syncthreads_count(int value, LF_LINE) {
    luffy::emulation::Vote thread{value, 0};
    luffy::emulation::meet_block("__syncthreads_count", line, &thread, luffy::emulation::count_votes);
    return static_cast<int>(thread.ballot);
}
inline int __syncthreads_or(int value, LF_LINE) { return __syncthreads_count(value, line) != 0; }
inline int __syncthreads_and(int value, LF_LINE) { return __syncthreads_count(value == 0, line) == 0; }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, LF_LINE) {
    luffy::emulation::meet_warp("__syncwarp", mask, line, nullptr, nullptr);
}
inline unsigned __ballot_sync(unsigned mask, int value, LF_LINE) {
    return luffy::emulation::vote("__ballot_sync", mask, value, line);
}
inline int __any_sync(unsigned mask, int value, LF_LINE) { return luffy::emulation::vote("__any_sync", mask, value, line) != 0; }
inline int __all_sync(unsigned mask, int value, LF_LINE) {
    return luffy::emulation::vote("__all_sync", mask, value, line) == mask;
}
template <class T> T __shfl_sync(unsigned mask, T value, int lane, int width = 32, LF_LINE) {
    const int source = (luffy::emulation::lane_index() & -width) + (lane & (width - 1));
    return luffy::emulation::shuffle("__shfl_sync", mask, value, source, line);
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, LF_LINE) {
    const int wanted = luffy::emulation::lane_index() ^ lanes, end = (luffy::emulation::lane_index() & -width) + width;
    return luffy::emulation::shuffle("__shfl_xor_sync", mask, value, wanted < end ? wanted : luffy::emulation::lane_index(),
                                     line);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned lanes, int width = 32, LF_LINE) {
    const int wanted = luffy::emulation::lane_index() - static_cast<int>(lanes);
    return luffy::emulation::shuffle("__shfl_up_sync", mask, value, luffy::emulation::shuffle_source(wanted, width), line);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned lanes, int width = 32, LF_LINE) {
    const int wanted = luffy::emulation::lane_index() + static_cast<int>(lanes);
    return luffy::emulation::shuffle("__shfl_down_sync", mask, value, luffy::emulation::shuffle_source(wanted, width), line);
}
#undef LF_LINE

#endif
