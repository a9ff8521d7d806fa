#include "peak.h"

#include <immintrin.h>

float peak_avx2(int64_t iterations) {
    __m256 sum[12];
    for (int i = 0; i < 12; i++) sum[i] = _mm256_set1_ps(static_cast<float>(i));
    __m256 a = _mm256_set1_ps(0.5f);
    for (int64_t n = 0; n < iterations; n++) {
        __asm__ volatile("" : "+x"(a));
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) sum[i] = _mm256_fmadd_ps(a, sum[i], a);
    }
    for (int i = 1; i < 12; i++) sum[0] = _mm256_add_ps(sum[0], sum[i]);
    return _mm256_cvtss_f32(sum[0]);
}
