// Tiles of bf16 products by wgmma, Hopper's matrix instruction: one warpgroup brings operands through a ring of stages in shared
// memory by TMA, the others multiply straight from there. The members are those that product.h describes.
//
// A stage holds product_depth = 64 terms: lines of 128 bytes, which TMA permutes in pieces of 16 bytes as wgmma expects them
// (128-byte swizzle). An operand of Major::k is one box of [extent] lines; of Major::mn, a box of 64 lines for each 64 rows or
// columns. Elements outside of the matrix arrive as zeros.
//
// Per stage there are two barriers: `full`, which the producer arms with the bytes to come and TMA completes, and `empty`, at
// which each computing warp arrives when the products that read the stage are done. A round of the ring flips their parity. Loads
// run ahead of products by as many stages as there are, across calls of run() too.
#ifndef LUFFY_CUDA_DEVICE_PRODUCT_WGMMA_H
#define LUFFY_CUDA_DEVICE_PRODUCT_WGMMA_H

#include "hopper.h"
#include "product.h"

namespace luffy {

// A stage's part of one operand.
template <Major major, int Extent> struct WgmmaStage {
    static constexpr int line_bytes = product_depth * 2; // 128: what the swizzle permutes
    static constexpr int box_bytes = 64 * line_bytes;    // of Major::mn: 64 terms by 64 rows
    static constexpr int bytes = Extent * line_bytes;
    static_assert(Extent % 8 == 0 && Extent <= 256 && (major == Major::k || Extent % 64 == 0));

    // Rows (or columns) from `extent` on, a multiple of 64 for Major::mn, and 16 terms from `k` on. Eight lines are 1,024 bytes;
    // of Major::mn, the next 64 rows are a box further.
    LF_DEVICE static uint64_t descriptor(const char* stage, int extent, int k) {
        if constexpr (major == Major::k)
            return matrix_descriptor(stage + extent * line_bytes + k * 2, 16, 8 * line_bytes);
        else
            return matrix_descriptor(stage + extent / 64 * box_bytes + k * line_bytes, box_bytes, 8 * line_bytes);
    }

    LF_DEVICE static void load(char* stage, const TensorMap& map, int mn, int k, uint64_t* full) {
        if constexpr (major == Major::k) {
            copy_tile(stage, map, k, mn, full);
        } else {
#pragma unroll
            for (int box = 0; box < Extent / 64; box++) copy_tile(stage + box * box_bytes, map, mn + box * 64, k, full);
        }
    }

    // What load() copies at once: 64 elements of a line, and lines.
    static TensorMap map(const ProductMatrix<bf16>& m) {
        if constexpr (major == Major::k)
            return tensor_map(m.data, m.depth, m.extent, m.stride, product_depth, Extent);
        else
            return tensor_map(m.data, m.extent, m.depth, m.stride, 64, product_depth);
    }
};

// 64·Warpgroups × Columns of C by Warpgroups warpgroups and one that loads.
template <Major major_a, Major major_b, int Warpgroups, int Columns, int Stages> class WgmmaProduct {
  public:
    using Element = bf16;
    static constexpr int rows = 64 * Warpgroups, columns = Columns;
    static constexpr int compute_threads = 128 * Warpgroups, threads = compute_threads + 128;
    static constexpr int blocks = 1;
    static constexpr bool loads_ahead = true;

  private:
    using StageA = WgmmaStage<major_a, rows>;
    using StageB = WgmmaStage<major_b, Columns>;
    static constexpr int stage_bytes = StageA::bytes + StageB::bytes;
    static constexpr int alignment = 1024; // of the swizzle's pattern

  public:
    static constexpr int shared_bytes = alignment + Stages * (stage_bytes + 16);
    static constexpr int strip_rows = 16, strip_columns = 32, strip_pitch = strip_columns + 8;
    static constexpr int strip_bytes = compute_threads / 32 * strip_rows * strip_pitch * 4;

    struct Operand {
        TensorMap map;
        int depth;
    };

    static Operand operand_a(const ProductMatrix<bf16>& m) { return {StageA::map(m), static_cast<int>(m.depth)}; }
    static Operand operand_b(const ProductMatrix<bf16>& m) { return {StageB::map(m), static_cast<int>(m.depth)}; }

    struct Accumulators {
        float value[Columns / 2];

        LF_DEVICE void clear() {
#pragma unroll
            for (int i = 0; i < Columns / 2; i++) value[i] = 0;
        }
    };

    LF_DEVICE explicit WgmmaProduct(void* shared) {
        const uint32_t past = shared_address(shared) % alignment;
        stages_ = static_cast<char*>(shared) + (past == 0 ? 0 : alignment - past);
        if (threadIdx.x == 0) {
            for (int i = 0; i < Stages; i++) {
                barrier_init(full(i), 1);
                barrier_init(empty(i), compute_threads / 32);
            }
            barrier_init_fence();
        }
        __syncthreads();
    }

    LF_DEVICE bool computes() const { return threadIdx.x < compute_threads; }
    LF_DEVICE int thread() const { return static_cast<int>(threadIdx.x); }
    LF_DEVICE void synchronize() const { named_barrier<compute_threads>(1); }

    LF_DEVICE void run(Accumulators& sums, const Operand& a, const Operand& b, int row, int column) {
        if (computes())
            multiply(sums, a.depth);
        else if (threadIdx.x == compute_threads)
            load(a, b, row, column);
    }

    template <class F> LF_DEVICE void for_each_pair(Accumulators& sums, const F& f) const {
        const int lane = static_cast<int>(threadIdx.x) % 32, warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
#pragma unroll
        for (int j = 0; j < Columns / 8; j++)
#pragma unroll
            for (int half = 0; half < 2; half++)
                f(warp_row + half * 8 + lane / 4, j * 8 + lane % 4 * 2, sums.value[j * 4 + half * 2],
                  sums.value[j * 4 + half * 2 + 1]);
    }

    template <class F> LF_DEVICE void for_each(Accumulators& sums, const F& f) const {
        for_each_pair(sums, [&](int i, int j, float& first, float& second) {
            f(i, j, first);
            f(i, j + 1, second);
        });
    }

    LF_DEVICE void to_shared(Accumulators& sums, float* tile, int pitch) const {
        for_each_pair(sums, [&](int i, int j, float& first, float& second) {
            tile[i * pitch + j] = first;
            tile[i * pitch + j + 1] = second;
        });
        synchronize();
    }

    template <class F> LF_DEVICE void for_each_strip(Accumulators& sums, const F& f) const {
        const int warp = static_cast<int>(threadIdx.x) / 32;
        float* strip = reinterpret_cast<float*>(empty(Stages)) + warp * strip_rows * strip_pitch;
#pragma unroll
        for (int j = 0; j < Columns; j += strip_columns) {
            put_strip<strip_columns, strip_pitch>(strip, sums.value + j / 2);
            f(warp * 16, j, strip);
        }
    }

  private:
    // One thread issues all loads.
    LF_DEVICE void load(const Operand& a, const Operand& b, int row, int column) {
        for (int k = 0; k < a.depth; k += product_depth) {
            barrier_wait(empty(stage_), round_ ^ 1); // the first round finds every stage empty
            barrier_expect(full(stage_), stage_bytes);
            char* stage = stages_ + stage_ * stage_bytes;
            StageA::load(stage, a.map, row, k, full(stage_));
            StageB::load(stage + StageA::bytes, b.map, column, k, full(stage_));
            advance();
        }
    }

    LF_DEVICE void multiply(Accumulators& sums, int depth) {
        const int warpgroup_row = static_cast<int>(threadIdx.x) / 128 * 64;
        int k = 0;
        // A loop that runs at least once: sums that might not have been through it would be copied.
        do {
            barrier_wait(full(stage_), round_);
            const char* stage = stages_ + stage_ * stage_bytes;
            wgmma_fence(sums.value);
#pragma unroll
            for (int step = 0; step < product_depth; step += 16)
                wgmma_bf16<Columns, major_a == Major::mn, major_b == Major::mn>(
                    sums.value, StageA::descriptor(stage, warpgroup_row, step),
                    StageB::descriptor(stage + StageA::bytes, 0, step));
            wgmma_commit();
            wgmma_wait<1>(sums.value); // the products before these are done
            if (k > 0) release(stage_ == 0 ? Stages - 1 : stage_ - 1);
            advance();
            k += product_depth;
        } while (k < depth);
        wgmma_wait<0>(sums.value);
        release(stage_ == 0 ? Stages - 1 : stage_ - 1);
    }

    LF_DEVICE void release(int stage) const {
        if (threadIdx.x % 32 == 0) barrier_arrive(empty(stage));
    }

    LF_DEVICE void advance() {
        stage_++;
        if (stage_ == Stages) {
            stage_ = 0;
            round_ ^= 1;
        }
    }

    LF_DEVICE uint64_t* full(int stage) const { return reinterpret_cast<uint64_t*>(stages_ + Stages * stage_bytes) + stage; }
    LF_DEVICE uint64_t* empty(int stage) const { return full(Stages + stage); }

    char* stages_;
    int stage_ = 0;
    uint32_t round_ = 0; // the parity of `full` that this round's bytes complete
};

} // namespace luffy

#endif
