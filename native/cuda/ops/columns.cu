// Ranges of columns to and from a matrix of their own; the contract is src/Luffy.Kernels/Ops/Columns.cs.
#include "columns.h"

#include "../device/row_parts.h"
#include "operations.h"

namespace luffy {

namespace {

// Rows of the matrix that is read and of that which is written: where the first begins, and how far it is to the next.
struct Rows {
    int64_t start, stride;
};

// As store_part. Told by assembler, because nvcc takes the assignment of a part that was merely scaled apart into stores of 4
// bytes.
template <bool Whole, class T> LF_DEVICE void store_moved(T* row, int64_t i, int64_t width, const RowPart<T>& part) {
#if !defined(LUFFY_CUDA_EMULATION)
    if constexpr (Whole) {
        uint4 bits;
        static_assert(sizeof bits == sizeof part);
        memcpy(&bits, &part, sizeof bits);
        asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(row + i)), "r"(bits.x),
                     "r"(bits.y), "r"(bits.z), "r"(bits.w)
                     : "memory");
        return;
    }
#endif
    store_part<Whole>(row, i, width, part);
}

// to = scale·from, or to += scale·from.
template <bool Whole, bool Added, class T>
__global__ void __launch_bounds__(columns_threads)
    columns_move_kernel(T* to, const T* from, Rows written, Rows read, int64_t rows, int64_t width, float scale) {
    const int64_t parts = (width + vector_width<T> - 1) / vector_width<T>, step = int64_t{gridDim.x} * columns_threads;
    for (int64_t part = int64_t{blockIdx.x} * columns_threads + threadIdx.x; part < rows * parts; part += step) {
        const int64_t row = part / parts, element = (part - row * parts) * vector_width<T>;
        T* result = to + row * written.stride + written.start;
        const RowPart<T> terms = load_part<Whole>(from + row * read.stride + read.start, element, width);
        RowPart<T> moved;
        if constexpr (Added) {
            const RowPart<T> before = load_part<Whole>(result, element, width);
#pragma unroll
            for (int e = 0; e < vector_width<T>; e++) store(&moved[e], fmaf(scale, load(&terms[e]), load(&before[e])));
        } else {
#pragma unroll
            for (int e = 0; e < vector_width<T>; e++) store(&moved[e], scale * load(&terms[e]));
        }
        store_moved<Whole>(result, element, width, moved);
    }
}

template <bool Added, class T>
void move(const Runtime& runtime, const char* name, void* to, const void* from, Rows written, Rows read, const ColumnRange& range,
          float scale) {
    // Every row then begins at a multiple of 16 bytes.
    const bool whole =
        has_whole_parts<T>(range.width, {to, from}) && range.start % vector_width<T> == 0 && range.stride % vector_width<T> == 0;
    const auto kernel = whole ? columns_move_kernel<true, Added, T> : columns_move_kernel<false, Added, T>;
    const int64_t parts = range.rows * blocks_of(range.width, vector_width<T>);
    launch(runtime, name, kernel, strided_grid(runtime, blocks_of(parts, columns_threads), 2048 / columns_threads * 4),
           dim3(columns_threads), 0, static_cast<T*>(to), static_cast<const T*>(from), written, read, range.rows, range.width,
           scale);
}

template <class T> void take(const Runtime& runtime, void* z, const void* y, const ColumnRange& range, float scale) {
    move<false, T>(runtime, "columns.take", z, y, {0, range.width}, {range.start, range.stride}, range, scale);
}

template <class T> void put(const Runtime& runtime, void* y, const void* z, const ColumnRange& range) {
    move<false, T>(runtime, "columns.put", y, z, {range.start, range.stride}, {0, range.width}, range, 1);
}

template <class T> void add(const Runtime& runtime, void* y, const void* z, const ColumnRange& range, float scale) {
    move<true, T>(runtime, "columns.add", y, z, {range.start, range.stride}, {0, range.width}, range, scale);
}

} // namespace

void add_columns(Kernels& k) {
    k.columns_take[LF_F32] = take<float>;
    k.columns_take[LF_BF16] = take<bf16>;
    k.columns_put[LF_F32] = put<float>;
    k.columns_put[LF_BF16] = put<bf16>;
    k.columns_add[LF_F32] = add<float>;
    k.columns_add[LF_BF16] = add<bf16>;
}

} // namespace luffy
