#include "linear.h"

#include "../device/elements.h"
#include "operations.h"
#include "product.h"

namespace luffy {

namespace {

template <class T>
__global__ void __launch_bounds__(bias_warps * 32) bias_gradient_kernel(float* d_bias, const T* dy, int64_t rows, int64_t n) {
    __shared__ float stages[2][bias_rows][bias_columns];
    constexpr int rows_of_warp = bias_rows / bias_warps;
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    const int64_t column = int64_t{blockIdx.x} * bias_columns + lane;
    float sum = warp == 0 && column < n ? d_bias[column] : 0.0f;

    float values[rows_of_warp];
    const auto fetch = [&](int64_t first) {
#pragma unroll
        for (int i = 0; i < rows_of_warp; i++) {
            const int64_t row = first + i * bias_warps + warp;
            values[i] = row < rows && column < n ? load(dy + row * n + column) : 0.0f;
        }
    };
    fetch(0);
    int stage = 0;
    for (int64_t first = 0; first < rows; first += bias_rows) {
#pragma unroll
        for (int i = 0; i < rows_of_warp; i++) stages[stage][i * bias_warps + warp][lane] = values[i];
        __syncthreads(); // the rows are there, and the first warp is done with those before
        fetch(first + bias_rows);
        if (warp == 0) {
            const int count = static_cast<int>(rows - first < bias_rows ? rows - first : bias_rows);
            if (count == bias_rows) {
#pragma unroll
                for (int i = 0; i < bias_rows; i++) sum += stages[stage][i][lane];
            } else {
                for (int i = 0; i < count; i++) sum += stages[stage][i][lane];
            }
        }
        stage ^= 1;
    }
    if (warp == 0 && column < n) d_bias[column] = sum;
}

template <class T> constexpr int32_t dtype_of = sizeof(T) == 2 ? LF_BF16 : LF_F32;

void copy_rows(const Runtime& runtime, const char* name, void* to, const void* from, int64_t bytes) {
    if (bytes == 0) return;
    check(name, cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, runtime.stream));
}

template <class T> int64_t linear_packed_bytes(int64_t n, int64_t k) { return n * k * static_cast<int64_t>(sizeof(T)); }

template <class T> void linear_pack(const Runtime& runtime, void* packed, const void* weight, int64_t n, int64_t k) {
    copy_rows(runtime, "Linear.Pack", packed, weight, linear_packed_bytes<T>(n, k));
}

template <class T>
void linear_pack_rows(const Runtime& runtime, void* packed, const void* rows, int64_t first, int64_t count, int64_t k) {
    copy_rows(runtime, "Linear.PackRows", static_cast<T*>(packed) + first * k, rows, linear_packed_bytes<T>(count, k));
}

template <class T>
void linear_unpack(const Runtime& runtime, void* rows, const void* packed, int64_t first, int64_t count, int64_t k) {
    copy_rows(runtime, "Linear.Unpack", rows, static_cast<const T*>(packed) + first * k, linear_packed_bytes<T>(count, k));
}

template <class T>
void linear_forward(const Runtime& runtime, void* y, bool y_is_f32, const void* x, const void* weight, const void* packed,
                    const void* bias, const LinearShape& shape) {
    ProductArguments p{};
    p.layout = ProductLayout::nt;
    p.dtype = dtype_of<T>;
    p.a = x;
    p.a_stride = shape.k;
    p.b = weight != nullptr ? weight : packed;
    p.b_stride = shape.k;
    p.m = shape.rows;
    p.n = shape.n;
    p.k = shape.k;
    p.c = y;
    p.c_stride = shape.n;
    p.c_dtype = y_is_f32 ? LF_F32 : dtype_of<T>;
    p.bias = bias;
    product(runtime, "Linear.Forward", p);
}

template <class T>
void linear_backward_input(const Runtime& runtime, void* dx, const void* dy, const void* weight, const void* packed,
                           const LinearShape& shape) {
    ProductArguments p{};
    p.layout = ProductLayout::nn;
    p.dtype = dtype_of<T>;
    p.a = dy;
    p.a_stride = shape.n;
    p.b = weight != nullptr ? weight : packed;
    p.b_stride = shape.k;
    p.m = shape.rows;
    p.n = shape.k;
    p.k = shape.n;
    p.c = dx;
    p.c_stride = shape.k;
    p.c_dtype = dtype_of<T>;
    product(runtime, "Linear.BackwardInput", p);
}

template <class T>
void linear_backward_weight(const Runtime& runtime, void* d_weight, bool rounded, float* d_bias, const void* dy, const void* x,
                            const LinearShape& shape) {
    ProductArguments p{};
    p.layout = ProductLayout::tn;
    p.dtype = dtype_of<T>;
    p.a = dy;
    p.a_stride = shape.n;
    p.b = x;
    p.b_stride = shape.k;
    p.m = shape.n;
    p.n = shape.k;
    p.k = shape.rows;
    p.c = d_weight;
    p.c_stride = shape.k;
    p.c_dtype = rounded ? LF_BF16 : LF_F32;
    p.adds = !rounded;
    product(runtime, "Linear.BackwardWeight", p);
    if (d_bias != nullptr && shape.rows > 0) {
        launch(runtime, "Linear.BackwardBias", bias_gradient_kernel<T>,
               dim3(static_cast<unsigned>(blocks_of(shape.n, bias_columns))), dim3(bias_warps * 32), 0, d_bias,
               static_cast<const T*>(dy), shape.rows, shape.n);
    }
}

template <class T> void add(Kernels& kernels) {
    constexpr int32_t dtype = dtype_of<T>;
    kernels.linear_packed_bytes[dtype] = linear_packed_bytes<T>;
    kernels.linear_pack[dtype] = linear_pack<T>;
    kernels.linear_pack_rows[dtype] = linear_pack_rows<T>;
    kernels.linear_unpack[dtype] = linear_unpack<T>;
    kernels.linear_forward[dtype] = linear_forward<T>;
    kernels.linear_backward_input[dtype] = linear_backward_input<T>;
    kernels.linear_backward_weight[dtype] = linear_backward_weight<T>;
}

} // namespace

void add_linear(Kernels& kernels) {
    add<float>(kernels);
    add<bf16>(kernels);
}

} // namespace luffy
