// What only Hopper has (sm_90a): tiles that the copy engine brings (TMA), barriers in shared memory that count its bytes, and
// products of four warps straight from shared memory (wgmma). Everything here traps on other architectures.
//
// Tiles of bf16 in shared memory are lines of 128 bytes, 64 elements, in groups of eight: 1,024 bytes, and aligned to that. Of a
// K-major operand a line is a row (of A) or column (of B), and its elements are terms; of an MN-major operand a line is a term.
// The 16-byte pieces of a line are permuted by its place in the group (128-byte swizzle); TMA writes and wgmma reads them so.
#ifndef LUFFY_CUDA_HOPPER_H
#define LUFFY_CUDA_HOPPER_H

#include "elements.h"
#include "matrix.h"
#include "platform.h"

#if defined(LUFFY_CUDA_EMULATION)
#include "../emulation/hopper.h"
#else
#include "tensor_map.h"
#endif

// One asm statement for sm_90a, a trap elsewhere.
#if LUFFY_CUDA_HOPPER && !defined(LUFFY_CUDA_EMULATION)
#define LF_HOPPER_ASM(...) asm volatile(__VA_ARGS__)
#else
#define LF_HOPPER_ASM(...) __trap()
#endif

namespace luffy {

// Barriers: 8 bytes of shared memory each. A phase ends when as many threads as it counts have arrived and all bytes that they
// announced have come; the parity of the first phase is 0.

// One thread; then barrier_init_fence() by it, and a barrier of the block.
LF_DEVICE void barrier_init(uint64_t* barrier, int count) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::barrier_init(barrier, count);
#else
    LF_HOPPER_ASM("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count) : "memory");
#endif
}

// Lets the copy engine see barriers that have been initialised.
LF_DEVICE void barrier_init_fence() {
#if !defined(LUFFY_CUDA_EMULATION)
    LF_HOPPER_ASM("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async.shared::cta;" ::: "memory");
#endif
}

LF_DEVICE void barrier_arrive(uint64_t* barrier) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::barrier_arrive(barrier, 0);
#else
    LF_HOPPER_ASM("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
#endif
}

// Arrives, and announces bytes that copies will bring in this phase.
LF_DEVICE void barrier_expect(uint64_t* barrier, int bytes) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::barrier_arrive(barrier, bytes);
#else
    LF_HOPPER_ASM("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
#endif
}

// Waits for the end of the phase of that parity. Of a fresh barrier, the phase of parity 1 counts as over.
LF_DEVICE void barrier_wait(uint64_t* barrier, uint32_t parity) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::barrier_wait(barrier, parity);
#else
    uint32_t done = 0;
    do {
        LF_HOPPER_ASM(
            "{\n\t.reg .pred done;\n\tmbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n\tselp.u32 %0, 1, 0, done;\n\t}"
            : "=r"(done)
            : "r"(shared_address(barrier)), "r"(parity)
            : "memory");
    } while (done == 0);
#endif
}

// A barrier 1 … 15 of Threads threads, whole warps, of the block.
template <int Threads> LF_DEVICE void named_barrier(int barrier) {
    static_assert(Threads % 32 == 0);
#if defined(LUFFY_CUDA_EMULATION)
    emulation::meet_barrier(barrier, Threads);
#else
    asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(Threads) : "memory");
#endif
}

// Begins to copy a box of the map's matrix, from its element `inner` of line `outer` on, to `shared`, which is aligned to 1,024
// bytes. Elements outside of the matrix arrive as zeros, and count among the bytes that arrive at the barrier. One thread.
LF_DEVICE void copy_tile(void* shared, const TensorMap& map, int inner, int outer, uint64_t* barrier) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::copy_tile(shared, map, inner, outer, barrier);
#else
    LF_HOPPER_ASM("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
                      shared_address(shared)),
                  "l"(reinterpret_cast<uint64_t>(&map)), "r"(inner), "r"(outer), "r"(shared_address(barrier))
                  : "memory");
#endif
}

// Orders this thread's ordinary accesses of shared memory before those of the copy engine and of wgmma that follow a barrier.
LF_DEVICE void async_fence() {
#if !defined(LUFFY_CUDA_EMULATION)
    LF_HOPPER_ASM("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Gives registers back to the multiprocessor, or takes them, all threads of a warpgroup together: a multiple of 8 from 24 to 240.
// The kernel needs a bound on its registers (__launch_bounds__).
template <int Registers> LF_DEVICE void give_registers() {
    static_assert(Registers % 8 == 0 && Registers >= 24 && Registers <= 240);
#if !defined(LUFFY_CUDA_EMULATION)
    LF_HOPPER_ASM("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}

template <int Registers> LF_DEVICE void take_registers() {
    static_assert(Registers % 8 == 0 && Registers >= 24 && Registers <= 240);
#if !defined(LUFFY_CUDA_EMULATION)
    LF_HOPPER_ASM("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}

// Where an operand of 16 terms lies. `start`, in a tile, is the first line of a group of eight; K-major operands may start at a
// multiple of 16 terms inside of the line. `stride` is the bytes from one group of eight lines to the next (1,024 where they
// follow one another). `leading` only counts for MN-major operands: the bytes from 64 rows or columns to the next 64.
LF_DEVICE uint64_t matrix_descriptor(const void* start, int leading, int stride) {
    constexpr uint64_t swizzle_128_bytes = 1;
    const uint64_t address = shared_address(start);
    return (address & 0x3FFFF) >> 4 | static_cast<uint64_t>(leading >> 4) << 16 | static_cast<uint64_t>(stride >> 4) << 32 |
           swizzle_128_bytes << 62;
}

// Products are under way until they are waited for; until then their sums must not be touched. These keep the compiler from
// moving accesses of the sums across: wgmma_fence(sums), products, wgmma_commit(), …, wgmma_wait<N>(sums).
template <int Count> LF_DEVICE void hold([[maybe_unused]] float (&sums)[Count]) {
#if !defined(LUFFY_CUDA_EMULATION)
#pragma unroll
    for (int i = 0; i < Count; i++) asm volatile("" : "+f"(sums[i])::"memory");
#endif
}

// The same of fragments in registers: before wgmma_fence(), so that they are there by then, and after wgmma_wait().
template <int Count> LF_DEVICE void hold([[maybe_unused]] uint32_t (&fragments)[Count]) {
#if !defined(LUFFY_CUDA_EMULATION)
#pragma unroll
    for (int i = 0; i < Count; i++) asm volatile("" : "+r"(fragments[i])::"memory");
#endif
}

// Before the first of a group of products.
template <int Count> LF_DEVICE void wgmma_fence(float (&sums)[Count]) {
    hold(sums);
#if defined(LUFFY_CUDA_EMULATION)
    emulation::thread_state().products_fenced = true;
#else
    LF_HOPPER_ASM("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

// Closes a group.
LF_DEVICE void wgmma_commit() {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::wgmma_commit();
#else
    LF_HOPPER_ASM("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits until at most the N latest groups are under way.
template <int N, int Count> LF_DEVICE void wgmma_wait(float (&sums)[Count]) {
#if defined(LUFFY_CUDA_EMULATION)
    emulation::wgmma_wait(N);
#else
    LF_HOPPER_ASM("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
#endif
    hold(sums);
}

// Lists of a warpgroup's registers for the instructions below, 16 at a time.
#define LF_NAMES_0 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define LF_NAMES_1 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LF_NAMES_2 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define LF_NAMES_3 ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define LF_NAMES_4 ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define LF_NAMES_5 ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define LF_NAMES_6 ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define LF_NAMES_7 ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define LF_16(i)                                                                                                                 \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7]),  \
        "+f"(d[i + 8]), "+f"(d[i + 9]), "+f"(d[i + 10]), "+f"(d[i + 11]), "+f"(d[i + 12]), "+f"(d[i + 13]), "+f"(d[i + 14]),     \
        "+f"(d[i + 15])
#define LF_WGMMA(columns, names, ...)                                                                                            \
    LF_HOPPER_ASM("{\n\t.reg .pred add;\n\tsetp.ne.b32 add, 1, 0;\n\twgmma.mma_async.sync.aligned.m64n" #columns                 \
                  "k16.f32.bf16.bf16 {" names "}, " __VA_ARGS__)

// d += a·b of a warpgroup, with a [64, 16], b [16, Columns] and d [64, Columns], a and b by their descriptors; MN-major where the
// template's arguments say so. With w = warp % 4, g = lane / 4 and t = lane % 4, d[4j], d[4j + 1] of a thread are row 16w + g,
// columns 8j + 2t and the next, and d[4j + 2], d[4j + 3] those of row 16w + g + 8.
template <int Columns, bool AMajorM, bool BMajorN> LF_DEVICE void wgmma_bf16(float (&d)[Columns / 2], uint64_t a, uint64_t b) {
    static_assert(Columns == 32 || Columns == 64 || Columns == 96 || Columns == 128 || Columns == 192 || Columns == 256);
#if defined(LUFFY_CUDA_EMULATION)
    emulation::wgmma({d, a, b, {}, Columns, false, AMajorM, BMajorN});
#else
    if constexpr (Columns == 32)
        LF_WGMMA(32, LF_NAMES_0, "%16, %17, add, 1, 1, %18, %19;\n\t}" : LF_16(0) : "l"(a), "l"(b), "n"(AMajorM), "n"(BMajorN));
    else if constexpr (Columns == 64)
        LF_WGMMA(64, LF_NAMES_0 LF_NAMES_1, "%32, %33, add, 1, 1, %34, %35;\n\t}"
                 : LF_16(0), LF_16(16)
                 : "l"(a), "l"(b), "n"(AMajorM), "n"(BMajorN));
    else if constexpr (Columns == 96)
        LF_WGMMA(96, LF_NAMES_0 LF_NAMES_1 LF_NAMES_2, "%48, %49, add, 1, 1, %50, %51;\n\t}"
                 : LF_16(0), LF_16(16), LF_16(32)
                 : "l"(a), "l"(b), "n"(AMajorM), "n"(BMajorN));
    else if constexpr (Columns == 128)
        LF_WGMMA(128, LF_NAMES_0 LF_NAMES_1 LF_NAMES_2 LF_NAMES_3, "%64, %65, add, 1, 1, %66, %67;\n\t}"
                 : LF_16(0), LF_16(16), LF_16(32), LF_16(48)
                 : "l"(a), "l"(b), "n"(AMajorM), "n"(BMajorN));
    else if constexpr (Columns == 192)
        LF_WGMMA(192, LF_NAMES_0 LF_NAMES_1 LF_NAMES_2 LF_NAMES_3 LF_NAMES_4 LF_NAMES_5, "%96, %97, add, 1, 1, %98, %99;\n\t}"
                 : LF_16(0), LF_16(16), LF_16(32), LF_16(48), LF_16(64), LF_16(80)
                 : "l"(a), "l"(b), "n"(AMajorM), "n"(BMajorN));
    else if constexpr (Columns == 256)
        LF_WGMMA(256, LF_NAMES_0 LF_NAMES_1 LF_NAMES_2 LF_NAMES_3 LF_NAMES_4 LF_NAMES_5 LF_NAMES_6 LF_NAMES_7,
                 "%128, %129, add, 1, 1, %130, %131;\n\t}"
                 : LF_16(0), LF_16(16), LF_16(32), LF_16(48), LF_16(64), LF_16(80), LF_16(96), LF_16(112)
                 : "l"(a), "l"(b), "n"(AMajorM), "n"(BMajorN));
#endif
}

// The same with a in registers, the fragments of mma_bf16 for the warp's 16 rows; they must stay as they are until the products
// are done.
template <int Columns, bool BMajorN> LF_DEVICE void wgmma_bf16(float (&d)[Columns / 2], const uint32_t (&a)[4], uint64_t b) {
    static_assert(Columns == 32 || Columns == 64 || Columns == 96 || Columns == 128 || Columns == 192 || Columns == 256);
#if defined(LUFFY_CUDA_EMULATION)
    emulation::wgmma({d, 0, b, {a[0], a[1], a[2], a[3]}, Columns, true, false, BMajorN});
#else
    if constexpr (Columns == 32)
        LF_WGMMA(32, LF_NAMES_0, "{%16, %17, %18, %19}, %20, add, 1, 1, %21;\n\t}"
                 : LF_16(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(BMajorN));
    else if constexpr (Columns == 64)
        LF_WGMMA(64, LF_NAMES_0 LF_NAMES_1, "{%32, %33, %34, %35}, %36, add, 1, 1, %37;\n\t}"
                 : LF_16(0), LF_16(16)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(BMajorN));
    else if constexpr (Columns == 96)
        LF_WGMMA(96, LF_NAMES_0 LF_NAMES_1 LF_NAMES_2, "{%48, %49, %50, %51}, %52, add, 1, 1, %53;\n\t}"
                 : LF_16(0), LF_16(16), LF_16(32)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(BMajorN));
    else if constexpr (Columns == 128)
        LF_WGMMA(128, LF_NAMES_0 LF_NAMES_1 LF_NAMES_2 LF_NAMES_3, "{%64, %65, %66, %67}, %68, add, 1, 1, %69;\n\t}"
                 : LF_16(0), LF_16(16), LF_16(32), LF_16(48)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(BMajorN));
    else if constexpr (Columns == 192)
        LF_WGMMA(192, LF_NAMES_0 LF_NAMES_1 LF_NAMES_2 LF_NAMES_3 LF_NAMES_4 LF_NAMES_5,
                 "{%96, %97, %98, %99}, %100, add, 1, 1, %101;\n\t}"
                 : LF_16(0), LF_16(16), LF_16(32), LF_16(48), LF_16(64), LF_16(80)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(BMajorN));
    else if constexpr (Columns == 256)
        LF_WGMMA(256, LF_NAMES_0 LF_NAMES_1 LF_NAMES_2 LF_NAMES_3 LF_NAMES_4 LF_NAMES_5 LF_NAMES_6 LF_NAMES_7,
                 "{%128, %129, %130, %131}, %132, add, 1, 1, %133;\n\t}"
                 : LF_16(0), LF_16(16), LF_16(32), LF_16(48), LF_16(64), LF_16(80), LF_16(96), LF_16(112)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(BMajorN));
#endif
}

#undef LF_WGMMA
#undef LF_16
#undef LF_NAMES_0
#undef LF_NAMES_1
#undef LF_NAMES_2
#undef LF_NAMES_3
#undef LF_NAMES_4
#undef LF_NAMES_5
#undef LF_NAMES_6
#undef LF_NAMES_7
#undef LF_HOPPER_ASM

#if defined(LUFFY_CUDA_EMULATION)
using emulation::tensor_map;
#endif

} // namespace luffy

#endif
