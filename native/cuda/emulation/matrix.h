// The instructions of device/matrix.h in plain C++, by the PTX ISA's layouts.
#ifndef LUFFY_CUDA_EMULATION_MATRIX_H
#define LUFFY_CUDA_EMULATION_MATRIX_H

#include "fibers.h"

#include <string.h>

namespace luffy::emulation {

inline float from_bf16(uint32_t bits) {
    const uint32_t wide = bits << 16;
    float x;
    memcpy(&x, &wide, sizeof x);
    return x;
}
inline float half_of(uint32_t pair, int half) { return from_bf16(pair >> (16 * half) & 0xFFFF); }

// Tensor cores add the exact products of one instruction before they round, in ways that are not documented; here in f64, then to
// nearest.
inline float accumulate(float c, const double (&products)[16]) {
    double sum = 0;
    for (double product : products) sum += product;
    return static_cast<float>(c + sum);
}

struct MmaLane {
    float* d;
    const uint32_t *a, *b;
};

inline void multiply(const Arguments& lanes) {
    double a[16][16], b[8][16];
    for (int lane = 0; lane < 32; lane++) {
        const MmaLane& own = *static_cast<MmaLane*>(lanes[static_cast<size_t>(lane)]);
        const int g = lane / 4, t = lane % 4;
        for (int half = 0; half < 2; half++) {
            for (int i = 0; i < 4; i++) a[g + 8 * (i % 2)][2 * t + half + 8 * (i / 2)] = half_of(own.a[i], half);
            for (int i = 0; i < 2; i++) b[g][2 * t + half + 8 * i] = half_of(own.b[i], half);
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        float* d = static_cast<MmaLane*>(lanes[static_cast<size_t>(lane)])->d;
        for (int i = 0; i < 4; i++) {
            const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
            double products[16];
            for (int k = 0; k < 16; k++) products[k] = a[row][k] * b[column][k];
            d[i] = accumulate(d[i], products);
        }
    }
}

inline void mma_bf16(float* d, const uint32_t* a, const uint32_t* b) {
    MmaLane lane{d, a, b};
    meet_warp("mma", 0xFFFFFFFFu, 0, &lane, multiply);
}

struct LoadLane {
    const void* row;
    uint32_t* registers;
};

template <int Matrices, bool Transposed> void load_rows(const Arguments& lanes) {
    for (int matrix = 0; matrix < Matrices; matrix++) {
        uint16_t elements[8][8];
        for (int row = 0; row < 8; row++) {
            const void* address = static_cast<LoadLane*>(lanes[static_cast<size_t>(8 * matrix + row)])->row;
            require_aligned(address, 16, "a row of ldmatrix");
            memcpy(elements[row], address, 16);
        }
        for (int lane = 0; lane < 32; lane++) {
            const int i = lane / 4, j = 2 * (lane % 4);
            const uint16_t low = Transposed ? elements[j][i] : elements[i][j],
                           high = Transposed ? elements[j + 1][i] : elements[i][j + 1];
            static_cast<LoadLane*>(lanes[static_cast<size_t>(lane)])->registers[matrix] = low | static_cast<uint32_t>(high) << 16;
        }
    }
}

template <int Matrices, bool Transposed> void load_matrix(uint32_t* registers, const void* row) {
    LoadLane lane{row, registers};
    meet_warp("ldmatrix", 0xFFFFFFFFu, Matrices + (Transposed ? 10 : 0), &lane, load_rows<Matrices, Transposed>);
}

// The bytes arrive when the thread waits for them; until then there are NaNs, for whoever reads too early or was not done yet.
inline void copy_async_16(void* shared, const void* global, bool valid) {
    require_aligned(shared, 16, "the target of cp.async");
    require_aligned(global, 16, "the source of cp.async");
    memset(shared, 0xFF, 16);
    thread_state().copies.push_back({shared, valid ? global : nullptr});
}

inline void copy_async_commit() { thread_state().copy_groups.push_back(thread_state().copies.size()); }

inline void copy_async_wait(size_t under_way) {
    ThreadState& thread = thread_state();
    if (thread.copy_groups.size() <= under_way) return;
    const size_t groups = thread.copy_groups.size() - under_way, done = thread.copy_groups[groups - 1];
    for (size_t i = 0; i < done; i++) {
        const AsynchronousCopy& copy = thread.copies[i];
        if (copy.from != nullptr)
            memcpy(copy.to, copy.from, 16);
        else
            memset(copy.to, 0, 16);
    }
    thread.copies.erase(thread.copies.begin(), thread.copies.begin() + static_cast<ptrdiff_t>(done));
    thread.copy_groups.erase(thread.copy_groups.begin(), thread.copy_groups.begin() + static_cast<ptrdiff_t>(groups));
    for (size_t& end : thread.copy_groups) end -= done;
}

} // namespace luffy::emulation

#endif
