// Storage of elements on the device: bf16 and float, one at a time or 16 bytes at a time.
#ifndef LUFFY_CUDA_ELEMENTS_H
#define LUFFY_CUDA_ELEMENTS_H

#include "../../common/elements.h"
#include "platform.h"

#include <string.h>

namespace luffy {

LF_HOST_DEVICE float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

LF_HOST_DEVICE uint32_t bits_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

LF_HOST_DEVICE float to_float(float x) { return x; }
LF_HOST_DEVICE float to_float(bf16 x) { return float_of_bits(static_cast<uint32_t>(x.bits) << 16); }

// To nearest, ties to even. A NaN stays one.
LF_HOST_DEVICE bf16 to_bf16(float x) {
#if defined(__CUDA_ARCH__)
    uint16_t bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return {bits};
#else
    const uint32_t bits = bits_of_float(x);
    if (x != x) return {static_cast<uint16_t>(bits >> 16 | 0x40)};
    return {static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16)};
#endif
}

// Two neighbours of bf16 storage: `low` at the lower address.
LF_HOST_DEVICE uint32_t pack_bf16(float low, float high) {
#if defined(__CUDA_ARCH__)
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#else
    return to_bf16(low).bits | static_cast<uint32_t>(to_bf16(high).bits) << 16;
#endif
}

LF_DEVICE float load(const float* p) { return *p; }
LF_DEVICE float load(const bf16* p) { return to_float(*p); }
LF_DEVICE void store(float* p, float x) { *p = x; }
LF_DEVICE void store(bf16* p, float x) { *p = to_bf16(x); }

// N elements that one instruction moves: 4, 8 or 16 bytes.
template <class T, int N> struct alignas(sizeof(T) * N) Vector {
    T values[N];
    LF_HOST_DEVICE T& operator[](int i) { return values[i]; }
    LF_HOST_DEVICE const T& operator[](int i) const { return values[i]; }
};

// The elements of 16 bytes.
template <class T> constexpr int vector_width = 16 / static_cast<int>(sizeof(T));

template <int Bytes> struct VectorBits;
template <> struct VectorBits<4> { using Type = unsigned; };
template <> struct VectorBits<8> { using Type = uint2; };
template <> struct VectorBits<16> { using Type = uint4; };

// From and to addresses that are multiples of the vector's size.
template <int N, class T> LF_DEVICE Vector<T, N> load_vector(const T* p) {
    Vector<T, N> result;
#if defined(LUFFY_CUDA_EMULATION)
    emulation::require_aligned(p, sizeof result, "the address of a vector that is loaded");
    memcpy(&result, p, sizeof result);
#else
    const auto bits = *reinterpret_cast<const typename VectorBits<sizeof result>::Type*>(p);
    memcpy(&result, &bits, sizeof result);
#endif
    return result;
}

template <class T, int N> LF_DEVICE void store_vector(T* p, const Vector<T, N>& x) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::require_aligned(p, sizeof x, "the address of a vector that is stored");
    memcpy(p, &x, sizeof x);
#else
    typename VectorBits<sizeof x>::Type bits;
    memcpy(&bits, &x, sizeof x);
    *reinterpret_cast<decltype(bits)*>(p) = bits;
#endif
}

} // namespace luffy

#endif
