// Tiles of bf16 products by mma.sync: operands come through a ring of stages in shared memory by cp.async, and fragments by
// ldmatrix. The members are those that product.h describes.
#ifndef LUFFY_CUDA_DEVICE_PRODUCT_MMA_H
#define LUFFY_CUDA_DEVICE_PRODUCT_MMA_H

#include "matrix.h"
#include "product.h"

namespace luffy {

// A stage's part of one operand: `Extent` rows of A or columns of B by `Depth` terms, in pieces of 8 elements (16 bytes). Pieces
// of a line are permuted by the line's number, so that the 8 lines that ldmatrix takes together lie in different banks, as do
// those that a warp writes.
template <Major major, int Extent, int Depth> struct MmaStage {
    static constexpr int lines = major == Major::k ? Extent : Depth;
    static constexpr int line_pieces = (major == Major::k ? Depth : Extent) / 8;
    static constexpr int bytes = lines * line_pieces * 16;
    // A line has to hold 8 pieces for their permutation to reach all banks.
    static_assert(line_pieces % 8 == 0);

    LF_DEVICE static int offset(int line, int piece) { return (line * line_pieces + (piece ^ (line & 7))) * 16; }
};

// Rows × Columns of C by WarpRows × WarpColumns warps; Depth terms a stage.
template <Major major_a, Major major_b, int Rows, int Columns, int WarpRows, int WarpColumns, int Depth, int Stages>
class MmaProduct {
  public:
    using Element = bf16;
    static constexpr int rows = Rows, columns = Columns;
    static constexpr int threads = WarpRows * WarpColumns * 32, compute_threads = threads;
    static constexpr int blocks = threads <= 256 ? 2 : 1;
    static constexpr bool loads_ahead = false;

  private:
    using StageA = MmaStage<major_a, Rows, Depth>;
    using StageB = MmaStage<major_b, Columns, Depth>;
    static constexpr int stage_bytes = StageA::bytes + StageB::bytes;
    static constexpr int warp_rows = Rows / WarpRows, warp_columns = Columns / WarpColumns;
    static constexpr int fragments_m = warp_rows / 16, fragments_n = warp_columns / 8;
    static_assert(warp_rows % 16 == 0 && (fragments_n == 1 || fragments_n % 2 == 0));
    static_assert(Depth % product_depth == 0 && Stages >= 2);

  public:
    static constexpr int shared_bytes = Stages * stage_bytes;
    static constexpr int strip_rows = 16, strip_columns = warp_columns < 32 ? warp_columns : 32, strip_pitch = strip_columns + 8;
    static constexpr int strip_bytes = 0; // strips may have the stages' memory
    static_assert(threads / 32 * strip_rows * strip_pitch * 4 <= shared_bytes);

    struct Operand {
        ProductMatrix<bf16> matrix;
        bool whole_pieces;
    };

    static Operand operand_a(const ProductMatrix<bf16>& matrix) { return {matrix, has_whole_pieces<major_a>(matrix)}; }
    static Operand operand_b(const ProductMatrix<bf16>& matrix) { return {matrix, has_whole_pieces<major_b>(matrix)}; }

    struct Accumulators {
        float value[fragments_m][fragments_n][4];

        LF_DEVICE void clear() {
#pragma unroll
            for (int i = 0; i < fragments_m; i++)
#pragma unroll
                for (int j = 0; j < fragments_n; j++)
#pragma unroll
                    for (int e = 0; e < 4; e++) value[i][j][e] = 0;
        }
    };

    LF_DEVICE explicit MmaProduct(void* shared)
        : shared_(static_cast<char*>(shared)), lane_(static_cast<int>(threadIdx.x) % 32),
          warp_row_(static_cast<int>(threadIdx.x) / 32 / WarpColumns * warp_rows),
          warp_column_(static_cast<int>(threadIdx.x) / 32 % WarpColumns * warp_columns) {}

    LF_DEVICE bool computes() const { return true; }
    LF_DEVICE int thread() const { return static_cast<int>(threadIdx.x); }
    LF_DEVICE void synchronize() const { __syncthreads(); }

    LF_DEVICE void run(Accumulators& sums, const Operand& a, const Operand& b, int row, int column) const {
        const int depth = static_cast<int>(a.matrix.depth);
        const int stages = (depth + Depth - 1) / Depth;
        __syncthreads(); // the last stages of the run before have been read
#pragma unroll
        for (int s = 0; s < Stages - 1; s++) {
            if (s < stages) load(s, a, b, row, column, s * Depth);
            copy_async_commit();
        }
        int from = 0;
        for (int stage = 0; stage < stages; stage++) {
            copy_async_wait<Stages - 2>();
            __syncthreads(); // everybody's copies have arrived, and everybody has read what the next ones overwrite
            if (stage + Stages - 1 < stages)
                load(from == 0 ? Stages - 1 : from - 1, a, b, row, column, (stage + Stages - 1) * Depth);
            copy_async_commit();
            multiply(sums, from, depth - stage * Depth);
            from = from + 1 == Stages ? 0 : from + 1;
        }
        copy_async_wait<0>();
    }

    template <class F> LF_DEVICE void for_each_pair(Accumulators& sums, const F& f) const {
#pragma unroll
        for (int i = 0; i < fragments_m; i++)
#pragma unroll
            for (int j = 0; j < fragments_n; j++)
#pragma unroll
                for (int half = 0; half < 2; half++)
                    f(warp_row_ + i * 16 + half * 8 + lane_ / 4, warp_column_ + j * 8 + lane_ % 4 * 2, sums.value[i][j][half * 2],
                      sums.value[i][j][half * 2 + 1]);
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
        float* strip = reinterpret_cast<float*>(shared_) + static_cast<int>(threadIdx.x) / 32 * strip_rows * strip_pitch;
        __syncthreads(); // the stages have been read
#pragma unroll
        for (int i = 0; i < fragments_m; i++)
#pragma unroll
            for (int j = 0; j < warp_columns; j += strip_columns) {
                put_strip<strip_columns, strip_pitch>(strip, &sums.value[i][j / 8][0]);
                f(warp_row_ + i * 16, warp_column_ + j, strip);
            }
    }

  private:
    LF_DEVICE void load(int stage, const Operand& a, const Operand& b, int row, int column, int k) const {
        char* shared = shared_ + stage * stage_bytes;
        load_operand<major_a, StageA>(shared, a, row, k);
        load_operand<major_b, StageB>(shared + StageA::bytes, b, column, k);
    }

    template <Major major, class Stage> LF_DEVICE void load_operand(char* shared, const Operand& operand, int mn, int k) const {
        const ProductMatrix<bf16>& m = operand.matrix;
        const int first_line = major == Major::k ? mn : k, first = major == Major::k ? k : mn;
        const int lines = static_cast<int>(major == Major::k ? m.extent : m.depth) - first_line;
        const int elements = static_cast<int>(major == Major::k ? m.depth : m.extent) - first;
        const bf16* source = m.data + int64_t{first_line} * m.stride + first;
        constexpr int pieces = Stage::lines * Stage::line_pieces;
        if (operand.whole_pieces) {
#pragma unroll 2
            for (int i = 0; i < (pieces + threads - 1) / threads; i++) {
                const int index = i * threads + static_cast<int>(threadIdx.x);
                if (pieces % threads != 0 && index >= pieces) break;
                const int line = index / Stage::line_pieces, piece = index % Stage::line_pieces;
                const bool valid = line < lines && piece * 8 < elements;
                copy_async_16(shared + Stage::offset(line, piece), valid ? source + line * m.stride + piece * 8 : m.data, valid);
            }
            return;
        }
        // Rows that begin anywhere, or end within a piece: element by element, in few registers.
        constexpr int line_elements = Stage::line_pieces * 8;
#pragma unroll 1
        for (int index = static_cast<int>(threadIdx.x); index < Stage::lines * line_elements; index += threads) {
            const int line = index / line_elements, element = index % line_elements;
            const bool valid = line < lines && element < elements;
            reinterpret_cast<bf16*>(shared + Stage::offset(line, element / 8))[element % 8] =
                valid ? source[line * m.stride + element] : bf16{0};
        }
    }

    // `left` terms are not multiplied yet.
    LF_DEVICE void multiply(Accumulators& sums, int stage, int left) const {
        const char* a = shared_ + stage * stage_bytes;
        const char* b = a + StageA::bytes;
#pragma unroll
        for (int group = 0; group < Depth; group += product_depth) {
            if (group > 0 && group >= left) return;
#pragma unroll 2
            for (int k = group; k < group + product_depth; k += 16) {
                uint32_t fragment_b[fragments_n][2];
                load_b(fragment_b, b, k);
#pragma unroll
                for (int i = 0; i < fragments_m; i++) {
                    uint32_t fragment_a[4];
                    load_a(fragment_a, a, warp_row_ + i * 16, k);
#pragma unroll
                    for (int j = 0; j < fragments_n; j++) mma_bf16(sums.value[i][j], fragment_a, fragment_b[j]);
                }
            }
        }
    }

    // 16 rows by 16 terms. Register r holds rows 8·(r % 2) … + 7 and terms 8·(r / 2) … + 7; a lane hands ldmatrix line lane % 8
    // of matrix lane / 8.
    LF_DEVICE void load_a(uint32_t (&fragment)[4], const char* stage, int row, int k) const {
        const int matrix = lane_ / 8, line = lane_ % 8;
        if constexpr (major_a == Major::k)
            load_matrix_x4(fragment, stage + StageA::offset(row + matrix % 2 * 8 + line, k / 8 + matrix / 2));
        else
            load_matrix_x4_transposed(fragment, stage + StageA::offset(k + matrix / 2 * 8 + line, row / 8 + matrix % 2));
    }

    // The warp's columns by 16 terms. Of each 8 columns, register r holds terms 8·r … + 7; two such pairs at a time.
    LF_DEVICE void load_b(uint32_t (&fragment)[fragments_n][2], const char* stage, int k) const {
        const int matrix = lane_ / 8, line = lane_ % 8;
        if constexpr (fragments_n == 1) {
            // Addresses of lanes 16 … 31 are not used, but must be good ones.
            if constexpr (major_b == Major::k)
                load_matrix_x2(fragment[0], stage + StageB::offset(warp_column_ + line, k / 8 + matrix % 2));
            else
                load_matrix_x2_transposed(fragment[0], stage + StageB::offset(k + matrix % 2 * 8 + line, warp_column_ / 8));
        } else {
#pragma unroll
            for (int j = 0; j < fragments_n; j += 2) {
                const int column = warp_column_ + j * 8;
                uint32_t both[4];
                if constexpr (major_b == Major::k)
                    load_matrix_x4(both, stage + StageB::offset(column + matrix / 2 * 8 + line, k / 8 + matrix % 2));
                else
                    load_matrix_x4_transposed(both, stage + StageB::offset(k + matrix % 2 * 8 + line, column / 8 + matrix / 2));
                fragment[j][0] = both[0];
                fragment[j][1] = both[1];
                fragment[j + 1][0] = both[2];
                fragment[j + 1][1] = both[3];
            }
        }
    }

    char* shared_;
    int lane_, warp_row_, warp_column_;
};

} // namespace luffy

#endif
