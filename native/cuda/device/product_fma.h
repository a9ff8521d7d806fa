// Tiles of f32 products: one fused multiply-add a term over ascending K, sums in registers, operands through shared memory as
// lines of one term each. While one stage is multiplied, the next is on its way in registers. The members are those that
// product.h describes.
#ifndef LUFFY_CUDA_DEVICE_PRODUCT_FMA_H
#define LUFFY_CUDA_DEVICE_PRODUCT_FMA_H

#include "product.h"

namespace luffy {

// Rows × Columns of C by ThreadRows × ThreadColumns threads.
template <Major major_a, Major major_b, int Rows, int Columns, int ThreadRows, int ThreadColumns> class FmaProduct {
  public:
    using Element = float;
    static constexpr int rows = Rows, columns = Columns;
    static constexpr int threads = ThreadRows * ThreadColumns, compute_threads = threads;
    static constexpr int blocks = 1;
    static constexpr bool loads_ahead = false;

  private:
    static constexpr int Depth = 16; // terms a stage
    static constexpr int own_rows = Rows / ThreadRows, own_columns = Columns / ThreadColumns;
    // A thread's rows and columns come in such runs, which it reads at once.
    static constexpr int run_rows = own_rows < 4 ? own_rows : 4, run_columns = own_columns < 4 ? own_columns : 4;
    static_assert(own_rows % run_rows == 0 && own_columns % run_columns == 0 && own_columns % 2 == 0);
    // Lines 4 elements longer than they need be: pieces of neighbouring terms go to different banks.
    static constexpr int pitch_a = Rows + 4, pitch_b = Columns + 4;
    static constexpr int stage_floats = Depth * (pitch_a + pitch_b);

    template <int Extent> static constexpr int pieces = (Extent * Depth / 4 + threads - 1) / threads; // of a thread

  public:
    static constexpr int shared_bytes = 2 * stage_floats * 4, strip_bytes = 0;

    struct Operand {
        ProductMatrix<float> matrix;
        bool whole_pieces;
    };

    static Operand operand_a(const ProductMatrix<float>& matrix) { return {matrix, has_whole_pieces<major_a>(matrix)}; }
    static Operand operand_b(const ProductMatrix<float>& matrix) { return {matrix, has_whole_pieces<major_b>(matrix)}; }

    struct Accumulators {
        float value[own_rows][own_columns];

        LF_DEVICE void clear() {
#pragma unroll
            for (int i = 0; i < own_rows; i++)
#pragma unroll
                for (int j = 0; j < own_columns; j++) value[i][j] = 0;
        }
    };

    LF_DEVICE explicit FmaProduct(void* shared)
        : shared_(static_cast<float*>(shared)), thread_row_(static_cast<int>(threadIdx.x) / ThreadColumns),
          thread_column_(static_cast<int>(threadIdx.x) % ThreadColumns) {}

    LF_DEVICE bool computes() const { return true; }
    LF_DEVICE int thread() const { return static_cast<int>(threadIdx.x); }
    LF_DEVICE void synchronize() const { __syncthreads(); }

    LF_DEVICE void run(Accumulators& sums, const Operand& a, const Operand& b, int row, int column) const {
        const int depth = static_cast<int>(a.matrix.depth);
        Vector<float, 4> pieces_a[pieces<Rows>], pieces_b[pieces<Columns>];
        fetch<major_a, Rows>(pieces_a, a, row, 0);
        fetch<major_b, Columns>(pieces_b, b, column, 0);
        __syncthreads(); // the last stage of the run before has been read
        int stage = 0;
        for (int k = 0; k < depth; k += Depth) {
            float* shared = shared_ + stage * stage_floats;
            put<major_a, Rows, pitch_a>(shared, pieces_a);
            put<major_b, Columns, pitch_b>(shared + Depth * pitch_a, pieces_b);
            __syncthreads(); // and everybody has read the stage that the next round overwrites
            if (k + Depth < depth) {
                fetch<major_a, Rows>(pieces_a, a, row, k + Depth);
                fetch<major_b, Columns>(pieces_b, b, column, k + Depth);
            }
            multiply(sums, shared);
            stage ^= 1;
        }
    }

    template <class F> LF_DEVICE void for_each_pair(Accumulators& sums, const F& f) const {
#pragma unroll
        for (int i = 0; i < own_rows; i++)
#pragma unroll
            for (int j = 0; j < own_columns; j += 2)
                f(place<run_rows, ThreadRows>(i, thread_row_), place<run_columns, ThreadColumns>(j, thread_column_),
                  sums.value[i][j], sums.value[i][j + 1]);
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

  private:
    // Where a thread's i-th row or column lies: runs of one thread are `Threads` runs apart.
    template <int Run, int Threads> LF_DEVICE static int place(int i, int thread) {
        return (i / Run * Threads + thread) * Run + i % Run;
    }

    // Four elements that lie side by side in memory: of one row or column (Major::k), or of one term.
    template <Major major, int Extent, int N>
    LF_DEVICE void fetch(Vector<float, 4> (&pieces)[N], const Operand& operand, int mn, int k) const {
        const ProductMatrix<float>& m = operand.matrix;
        constexpr int line_pieces = (major == Major::k ? Depth : Extent) / 4;
        const int first_line = major == Major::k ? mn : k, first = major == Major::k ? k : mn;
        const int lines = static_cast<int>(major == Major::k ? m.extent : m.depth) - first_line;
        const int elements = static_cast<int>(major == Major::k ? m.depth : m.extent) - first;
        const float* source = m.data + int64_t{first_line} * m.stride + first;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const int index = i * threads + static_cast<int>(threadIdx.x);
            const int line = index / line_pieces, from = index % line_pieces * 4;
            if (operand.whole_pieces && line < lines && from < elements) {
                pieces[i] = load_vector<4>(source + line * m.stride + from);
            } else {
#pragma unroll
                for (int e = 0; e < 4; e++)
                    pieces[i][e] = line < lines && from + e < elements ? source[line * m.stride + from + e] : 0.0f;
            }
        }
    }

    template <Major major, int Extent, int Pitch, int N>
    LF_DEVICE void put(float* shared, const Vector<float, 4> (&pieces)[N]) const {
        constexpr int line_pieces = (major == Major::k ? Depth : Extent) / 4;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const int index = i * threads + static_cast<int>(threadIdx.x);
            const int line = index / line_pieces, from = index % line_pieces * 4;
            if (index >= Extent * Depth / 4) break;
            if constexpr (major == Major::mn) {
                store_vector(shared + line * Pitch + from, pieces[i]);
            } else {
#pragma unroll
                for (int e = 0; e < 4; e++) shared[(from + e) * Pitch + line] = pieces[i][e];
            }
        }
    }

    LF_DEVICE void multiply(Accumulators& sums, const float* shared) const {
#pragma unroll
        for (int k = 0; k < Depth; k++) {
            float a[own_rows], b[own_columns];
            get<own_rows, run_rows, ThreadRows>(a, shared + k * pitch_a, thread_row_);
            get<own_columns, run_columns, ThreadColumns>(b, shared + Depth * pitch_a + k * pitch_b, thread_column_);
#pragma unroll
            for (int i = 0; i < own_rows; i++)
#pragma unroll
                for (int j = 0; j < own_columns; j++) sums.value[i][j] = fmaf(a[i], b[j], sums.value[i][j]);
        }
    }

    template <int Own, int Run, int Threads> LF_DEVICE static void get(float (&values)[Own], const float* line, int thread) {
#pragma unroll
        for (int i = 0; i < Own; i += Run) {
            const Vector<float, Run> run = load_vector<Run>(line + place<Run, Threads>(i, thread));
#pragma unroll
            for (int e = 0; e < Run; e++) values[i + e] = run[e];
        }
    }

    float* shared_;
    int thread_row_, thread_column_;
};

} // namespace luffy

#endif
