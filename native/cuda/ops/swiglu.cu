// y = silu(gate)·up and its gradients; the contract is src/Luffy.Kernels/Ops/SwiGlu.cs.
#include "swiglu.h"

#include "../device/math.h"
#include "../device/row_parts.h"
#include "operations.h"

namespace luffy {

namespace {

// A part of a row of `width` gates: its row, and its first element.
struct Place {
    int64_t row, element;
};

template <class T> LF_DEVICE Place place_of(int64_t part, int64_t parts_of_row) {
    const int64_t row = part / parts_of_row;
    return {row, (part - row * parts_of_row) * vector_width<T>};
}

template <bool Whole, class T>
__global__ void __launch_bounds__(swiglu_threads) swiglu_forward_kernel(T* y, const T* gate_up, int64_t rows, int64_t width) {
    const int64_t parts = (width + vector_width<T> - 1) / vector_width<T>, step = int64_t{gridDim.x} * swiglu_threads;
    for (int64_t part = int64_t{blockIdx.x} * swiglu_threads + threadIdx.x; part < rows * parts; part += step) {
        const Place at = place_of<T>(part, parts);
        const T* input = gate_up + 2 * at.row * width;
        const RowPart<T> gates = load_part<Whole>(input, at.element, width);
        const RowPart<T> ups = load_part<Whole>(input + width, at.element, width);
        RowPart<T> result;
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++) {
            const float gate = load(&gates[e]);
            store(&result[e], gate / (1 + device_exp(-gate)) * load(&ups[e]));
        }
        store_part<Whole>(y + at.row * width, at.element, width, result);
    }
}

// d_gate_up may be the memory of gate_up: a thread reads its elements before it writes them.
template <bool Whole, class T>
__global__ void __launch_bounds__(swiglu_threads)
    swiglu_backward_kernel(T* d_gate_up, const T* dy, const T* gate_up, int64_t rows, int64_t width) {
    const int64_t parts = (width + vector_width<T> - 1) / vector_width<T>, step = int64_t{gridDim.x} * swiglu_threads;
    for (int64_t part = int64_t{blockIdx.x} * swiglu_threads + threadIdx.x; part < rows * parts; part += step) {
        const Place at = place_of<T>(part, parts);
        const T* input = gate_up + 2 * at.row * width;
        const RowPart<T> gates = load_part<Whole>(input, at.element, width);
        const RowPart<T> ups = load_part<Whole>(input + width, at.element, width);
        const RowPart<T> gradients = load_part<Whole>(dy + at.row * width, at.element, width);
        RowPart<T> d_gates, d_ups;
#pragma unroll
        for (int e = 0; e < vector_width<T>; e++) {
            const float gate = load(&gates[e]), d = load(&gradients[e]);
            const float sigmoid = 1 / (1 + device_exp(-gate));
            store(&d_gates[e], d * load(&ups[e]) * sigmoid * (1 + gate * (1 - sigmoid)));
            store(&d_ups[e], d * gate * sigmoid);
        }
        T* result = d_gate_up + 2 * at.row * width;
        store_part<Whole>(result, at.element, width, d_gates);
        store_part<Whole>(result + width, at.element, width, d_ups);
    }
}

dim3 grid_of(const Runtime& runtime, int64_t tokens, int64_t parts) {
    return strided_grid(runtime, blocks_of(tokens * parts, swiglu_threads), 2048 / swiglu_threads * 4);
}

template <class T> void forward(const Runtime& runtime, void* y, const void* gate_up, int64_t tokens, int64_t width) {
    const auto kernel =
        has_whole_parts<T>(width, {y, gate_up}) ? swiglu_forward_kernel<true, T> : swiglu_forward_kernel<false, T>;
    launch(runtime, "swiglu.forward", kernel, grid_of(runtime, tokens, blocks_of(width, vector_width<T>)), dim3(swiglu_threads),
           0, static_cast<T*>(y), static_cast<const T*>(gate_up), tokens, width);
}

template <class T>
void backward(const Runtime& runtime, void* d_gate_up, const void* dy, const void* gate_up, int64_t tokens, int64_t width) {
    const auto kernel =
        has_whole_parts<T>(width, {d_gate_up, dy, gate_up}) ? swiglu_backward_kernel<true, T> : swiglu_backward_kernel<false, T>;
    launch(runtime, "swiglu.backward", kernel, grid_of(runtime, tokens, blocks_of(width, vector_width<T>)), dim3(swiglu_threads),
           0, static_cast<T*>(d_gate_up), static_cast<const T*>(dy), static_cast<const T*>(gate_up), tokens, width);
}

} // namespace

void add_swiglu(Kernels& k) {
    k.swiglu_forward[LF_F32] = forward<float>;
    k.swiglu_forward[LF_BF16] = forward<bf16>;
    k.swiglu_backward[LF_F32] = backward<float>;
    k.swiglu_backward[LF_BF16] = backward<bf16>;
}

} // namespace luffy
