// Functions whose results must be the same bits wherever they are called: the loss and the sampler use these and no others.
// CUDA's expf is within 2 units in the last place and logf within 1 (CUDA C++ Programming Guide, "Mathematical Functions"), as
// long as nothing is compiled with --use_fast_math.
#ifndef LUFFY_CUDA_MATH_H
#define LUFFY_CUDA_MATH_H

#include "platform.h"

#include <math.h>

namespace luffy {

// Zero for -infinity.
LF_DEVICE float device_exp(float x) { return expf(x); }
// -infinity for zero.
LF_DEVICE float device_log(float x) { return logf(x); }

// 2^x by the special function unit: within 2 units in the last place (PTX ISA, "ex2.approx"), and zero where that is below the
// smallest normal number.
LF_DEVICE float device_exp2(float x) {
#if defined(LUFFY_CUDA_EMULATION)
    const float power = exp2f(x);
    return power < 1.17549435e-38f ? 0.0f : power;
#else
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
    return power;
#endif
}

// An infinity that needs no header of the C++ library.
LF_HOST_DEVICE float infinity() { return __builtin_huge_valf(); }

LF_HOST_DEVICE int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

} // namespace luffy

#endif
