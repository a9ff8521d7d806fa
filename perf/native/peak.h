// Loops of independent multiply-adds in registers: the most that one core can do. Each returns a value that depends on all of
// them.
#ifndef LUFFY_PERF_PEAK_H
#define LUFFY_PERF_PEAK_H

#include <cstdint>

// Floating-point operations of one iteration (a multiply-add counts as two).
constexpr double avx2_flops = 12 * 8 * 2, avx512_flops = 24 * 16 * 2, avx512bf16_flops = 24 * 32 * 2;

float peak_avx2(int64_t iterations);
float peak_avx512(int64_t iterations);
float peak_avx512bf16(int64_t iterations);

#endif
