// The counter-based generator Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC'11): a pure function from a counter and a key to four random words, and the Gumbel noise that sampling makes of a word.
#ifndef LUFFY_CUDA_DEVICE_PHILOX_H
#define LUFFY_CUDA_DEVICE_PHILOX_H

#include "math.h"
#include "platform.h"

#include <cstdint>

namespace luffy {

struct RandomWords {
    uint32_t word[4];
};

LF_DEVICE RandomWords philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint64_t key) {
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const uint64_t a = uint64_t{0xD2511F53u} * c0, b = uint64_t{0xCD9E8D57u} * c2;
        c0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ k0;
        c1 = static_cast<uint32_t>(b);
        c2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ k1;
        c3 = static_cast<uint32_t>(a);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// 1 − u of the u = ((word >> 9) + ½)·2⁻²³ that a word stands for. Both are odd multiples of 2⁻²⁴ inside of (0, 1), and exact.
LF_DEVICE float uniform_complement(uint32_t word) {
    return 2.0f - __uint_as_float((word >> 9) | 0x3F800000u) - 1.0f / (1 << 24); // the float is 1 + (word >> 9)·2⁻²³
}

// −ln(−ln u) of a complement 1 − u.
LF_DEVICE float gumbel(float complement) { return -device_log(-device_log(1.0f - complement)); }

} // namespace luffy

#endif
