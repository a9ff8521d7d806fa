// Tensor cores and asynchronous copies as every GPU since compute capability 8.0 has them. Names and layouts of fragments are the
// PTX ISA's ("Matrix Fragments for mma.m16n8k16 with floating point type", "ldmatrix", "cp.async").
#ifndef LUFFY_CUDA_MATRIX_H
#define LUFFY_CUDA_MATRIX_H

#include "elements.h"
#include "platform.h"
#if defined(LUFFY_CUDA_EMULATION)
#include "../emulation/matrix.h"
#endif

namespace luffy {

// The 32-bit address of shared memory that instructions take.
LF_DEVICE uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }

// d += a·b by a warp, with a [16, 16], b [16, 8] and d [16, 8]. With g = lane / 4 and t = lane % 4, and lower columns or rows in
// the lower half of a register:
//   a[0] row g,     columns 2t, 2t + 1    a[1] row g + 8, columns 2t, 2t + 1    a[2], a[3] the same of columns 8 + 2t, 9 + 2t
//   b[0] rows 2t, 2t + 1 of column g      b[1] rows 8 + 2t, 9 + 2t of column g
//   d[0], d[1] row g, columns 2t, 2t + 1  d[2], d[3] the same of row g + 8
LF_DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::mma_bf16(d, a, b);
#else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Loads 8×8 matrices of 16-bit elements from shared memory. Lane 8j + i gives the address of row i of matrix j: 16 bytes,
// aligned. Register j of a lane is then row lane / 4, columns 2 (lane % 4) and the next, of matrix j; of its transpose where the
// name says so.
LF_DEVICE void load_matrix_x4(uint32_t (&r)[4], const void* row) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::load_matrix<4, false>(r, row);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

LF_DEVICE void load_matrix_x4_transposed(uint32_t (&r)[4], const void* row) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::load_matrix<4, true>(r, row);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

// Two matrices: only the addresses of lanes 0 … 15 count.
LF_DEVICE void load_matrix_x2(uint32_t (&r)[2], const void* row) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::load_matrix<2, false>(r, row);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

LF_DEVICE void load_matrix_x2_transposed(uint32_t (&r)[2], const void* row) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::load_matrix<2, true>(r, row);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
#endif
}

// Begins to copy 16 bytes from global to shared memory, both aligned to 16; zeros where not valid, and then nothing is read.
LF_DEVICE void copy_async_16(void* shared, const void* global, bool valid) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::copy_async_16(shared, global, valid);
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
#endif
}

// Closes a group of this thread's copies.
LF_DEVICE void copy_async_commit() {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::copy_async_commit();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most the N latest of this thread's groups are under way. Other threads see the bytes after a barrier.
template <int N> LF_DEVICE void copy_async_wait() {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::copy_async_wait(N);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

} // namespace luffy

#endif
