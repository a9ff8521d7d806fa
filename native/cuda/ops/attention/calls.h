// The launches that attention.cu puts together.
#ifndef LUFFY_CUDA_ATTENTION_CALLS_H
#define LUFFY_CUDA_ATTENTION_CALLS_H

#include "../../runtime.h"
#include "rows.h"

#include <type_traits>

namespace luffy::attention {

// What one launch takes of the sequences that are decoded, and how its results lie: [sequences of the launch][key-value
// heads][rows][chunks].
struct DecodedBatch {
    int first, sequences; // sequences of the call
    int rows;             // of a key-value head, as many as results have room for
    int chunks;           // of the longest context
    int width;            // of an output's row
    float* outputs;       // [..., width], not yet divided by the sums
    float* statistics;    // [..., 2]: the largest score and the sum of weights
};

struct BackwardCall {
    void* d_qkv;
    const void *dy, *qkv;
    const int32_t* starts;
    int sequences;
    int64_t tokens;
    const float* log_sum_exp; // [kv_heads][T · group], of base 2
    const float* delta;       // [kv_heads][T · group], dy · y
    Geometry shape;
    bool aligned;
};

template <int Least, class Body> void with_width(int head_dim, Body&& body) {
    switch (padded_width(head_dim, Least)) {
    case 32:
        if constexpr (Least <= 32) return body(std::integral_constant<int, 32>());
        break;
    case 64:
        return body(std::integral_constant<int, 64>());
    case 128:
        return body(std::integral_constant<int, 128>());
    default:
        return body(std::integral_constant<int, 256>());
    }
}

void forward_bf16(const Runtime& runtime, const ForwardCall<bf16>& call, int64_t tokens);
void forward_f32(const Runtime& runtime, const ForwardCall<float>& call, int64_t tokens);
void decode_bf16(const Runtime& runtime, const ForwardCall<bf16>& call, const DecodedBatch& batch);
void decode_f32(const Runtime& runtime, const ForwardCall<float>& call, const DecodedBatch& batch);
template <class T> void merge_chunks(const Runtime& runtime, const ForwardCall<T>& call, const DecodedBatch& batch);
// base2 (log-sum-exp · log₂ e) and delta are [kv_heads][T · group].
template <class T>
void find_delta(const Runtime& runtime, float* base2, float* delta, const float* log_sum_exp, const T* dy, const T* y,
                const Geometry& shape, int64_t tokens);
void backward_bf16(const Runtime& runtime, const BackwardCall& call);
void backward_f32(const Runtime& runtime, const BackwardCall& call);

template <class T>
void store_key_value(const Runtime& runtime, void* cache, const void* qkv, const int32_t* slots, int64_t tokens,
                     const lf_attention_shape& shape);
void copy_pages(const Runtime& runtime, void* cache, const int32_t* copies, int64_t count, int64_t page_bytes);

} // namespace luffy::attention

#endif
