#include "peak.h"

#include <immintrin.h>

float peak_avx512(int64_t iterations) {
    __m512 sum[24];
    for (int i = 0; i < 24; i++) sum[i] = _mm512_set1_ps(static_cast<float>(i));
    __m512 a = _mm512_set1_ps(0.5f);
    for (int64_t n = 0; n < iterations; n++) {
        __asm__ volatile("" : "+v"(a));
#pragma GCC unroll 24
        for (int i = 0; i < 24; i++) sum[i] = _mm512_fmadd_ps(a, sum[i], a);
    }
    for (int i = 1; i < 24; i++) sum[0] = _mm512_add_ps(sum[0], sum[i]);
    return _mm512_cvtss_f32(sum[0]);
}
