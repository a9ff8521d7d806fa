// The table that each library fills in, libluffy_cpu once for each instruction set. The functions take checked, plain arguments:
// api/*.cpp has looked at every shape, dtype, id and offset before. Where storage is f32 or bf16 there is one entry for each,
// indexed by lf_dtype. Addresses are the device's; those named host_… hold the same integers for the host.
#ifndef LUFFY_KERNELS_TABLE_H
#define LUFFY_KERNELS_TABLE_H

#include "../include/luffy_kernels.h"
#include "elements.h"

namespace luffy {

// What a library's kernels need besides their arguments: threads or a stream, workspaces.
struct Runtime;

constexpr int64_t max_head_dim = 256; // of attention

struct LinearShape {
    int64_t rows; // T
    int64_t n;    // outputs
    int64_t k;    // inputs
};

// Where attention finds the keys and values of its sequences: in packed qkv rows (cache null), or in pages.
struct AttentionArguments {
    lf_attention_shape shape;
    const void* qkv; // [T, heads + 2 kv_heads, D]
    const int32_t* query_starts;
    int64_t sequences;
    const void* cache;
    const int32_t* page_table; // [sequences, table_stride]
    const int32_t* context_lengths;
    int64_t table_stride;
    const int32_t* host_query_starts;
    const int32_t* host_context_lengths;
};

// What the backward pass reads and writes beyond the forward pass's arguments.
struct AttentionGradients {
    void* d_qkv;
    const void* dy;
    const void* y;
    const float* log_sum_exp;
};

// Columns start … start + width of a matrix of `rows` rows that are `stride` elements long.
struct ColumnRange {
    int64_t rows, width, stride, start;
};

struct PolicyArguments {
    void* d_hidden;    // null for log-probs alone, and then d_head and the inputs of the objective are too
    float* d_head;     // or null, where the head is not trained
    float* statistics; // [8, rows]
    const void* hidden;
    const void* head;   // null, or
    const void* packed; // null
    const int32_t* targets;
    const float* advantages;
    const float* old_log_probs;
    const int32_t* off_policy;
    const float* weights;
    const float* behavior_log_probs;  // or null
    const float* reference_log_probs; // or null
    int64_t rows, hidden_size, vocabulary;
    lf_policy_options options;
    char* scratch;
};

// The update's constants, worked out once, in f64 where f32 would lose digits.
struct AdamWCoefficients {
    float learning_rate, beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon, weight_decay, gradient_scale;
    float first_correction, second_correction; // 1/(1 − βᵗ)
    int64_t step;                              // with the key: counter of the random bits that bf16 moments are rounded by
    uint64_t rounding_key;
};

struct AdamWArguments {
    void* weights;       // [rows, columns]
    bool packed;         // weights are the packed form of linear_pack
    int16_t* remainders; // null where the weights are f32
    void* m;
    void* v;
    const void* gradient;
    int64_t rows, columns;
};

struct Kernels {
    // Memory: copies may overlap where the dtype is the same; host_integers is valid until the next call of any function
    const int32_t* (*host_integers)(const Runtime&, const void* memory, int64_t count);
    void (*copy[2][2])(const Runtime&, void* destination, const void* source, int64_t n); // [to][from]
    void (*copy_bytes)(const Runtime&, void* destination, const void* source, int64_t bytes);
    void (*zero)(const Runtime&, void* memory, int64_t bytes);

    // Embedding: [2] by storage; backward [into][from]
    void (*embedding_forward)(const Runtime&, void* y, const void* weight, const int32_t* ids, int64_t tokens, int64_t row_bytes);
    void (*embedding_forward_packed[2])(const Runtime&, void* y, const void* packed, const int32_t* ids, int64_t tokens,
                                        int64_t h);
    void (*embedding_backward[2][2])(const Runtime&, void* d_weight, const void* dy, const int32_t* ids, const int32_t* host_ids,
                                     int64_t tokens, int64_t h);

    // Linear
    int64_t (*linear_packed_bytes[2])(int64_t n, int64_t k);
    void (*linear_pack[2])(const Runtime&, void* packed, const void* weight, int64_t n, int64_t k);
    void (*linear_pack_rows[2])(const Runtime&, void* packed, const void* rows, int64_t first, int64_t count, int64_t k);
    void (*linear_unpack[2])(const Runtime&, void* rows, const void* packed, int64_t first, int64_t count, int64_t k);
    // Weight may be null where packed is not, and the other way round.
    void (*linear_forward[2])(const Runtime&, void* y, bool y_is_f32, const void* x, const void* weight, const void* packed,
                              const void* bias, const LinearShape&);
    void (*linear_backward_input[2])(const Runtime&, void* dx, const void* dy, const void* weight, const void* packed,
                                     const LinearShape&);
    // d_weight: f32 +=, or where rounded = in the storage of x
    void (*linear_backward_weight[2])(const Runtime&, void* d_weight, bool rounded, float* d_bias, const void* dy, const void* x,
                                      const LinearShape&);

    // RmsNorm: sum and delta are null without residual; d_residual likewise
    void (*rms_norm_forward[2])(const Runtime&, void* y, void* sum, float* rstd, const void* x, const void* delta,
                                const void* weight, float epsilon, int64_t tokens, int64_t h);
    void (*rms_norm_backward[2])(const Runtime&, void* dx, float* d_weight, const void* dy, const void* d_residual, const void* x,
                                 const float* rstd, const void* weight, int64_t tokens, int64_t h);

    // Rope: sign +1 forward, −1 backward
    void (*rope[2])(const Runtime&, void* qkv, const int32_t* positions, const float* table, int64_t tokens, int64_t heads,
                    int64_t rotated_heads, int64_t head_dim, float sign);

    // Attention
    void (*attention_forward[2])(const Runtime&, void* y, float* log_sum_exp, const AttentionArguments&);
    int64_t (*attention_backward_scratch[2])(const Runtime&, int64_t tokens, int64_t max_length, const lf_attention_shape&);
    void (*attention_backward[2])(const Runtime&, const AttentionGradients&, const AttentionArguments&, char* scratch);
    int64_t (*attention_page_bytes[2])(const lf_attention_shape&); // of one page of the cache
    void (*attention_store[2])(const Runtime&, void* cache, const void* qkv, const int32_t* slots, int64_t tokens,
                               const lf_attention_shape&);
    void (*attention_copy_pages)(const Runtime&, void* cache, const int32_t* copies, int64_t count, int64_t page_bytes);

    // SwiGlu
    void (*swiglu_forward[2])(const Runtime&, void* y, const void* gate_up, int64_t tokens, int64_t width);
    void (*swiglu_backward[2])(const Runtime&, void* d_gate_up, const void* dy, const void* gate_up, int64_t tokens,
                               int64_t width);

    // Columns: z has the range's width, y its stride
    void (*columns_take[2])(const Runtime&, void* z, const void* y, const ColumnRange&, float scale);
    void (*columns_put[2])(const Runtime&, void* y, const void* z, const ColumnRange&);
    void (*columns_add[2])(const Runtime&, void* y, const void* z, const ColumnRange&, float scale);

    // PolicyLoss
    int64_t (*policy_loss_scratch[2])(int64_t rows, int64_t hidden_size, int64_t vocabulary);
    void (*policy_loss[2])(const Runtime&, const PolicyArguments&);

    // Sampling
    int64_t (*sampling_scratch)(const Runtime&, int64_t rows, int64_t vocabulary);
    void (*sample)(const Runtime&, int32_t* ids, float* log_probs, float* sampled_log_probs, const float* logits,
                   const int32_t* keys, int64_t rows, int64_t vocabulary, const lf_sampling_options&, char* scratch);

    // AdamW: [2] by storage of the weights, [2] of the gradient; with bf16 moments, which only bf16 weights have, [2] of the
    // gradient
    void (*adamw_update[2][2])(const Runtime&, const AdamWArguments&, const AdamWCoefficients&);
    void (*adamw_update_rounded[2])(const Runtime&, const AdamWArguments&, const AdamWCoefficients&);
    int64_t (*squared_norm_scratch)(int64_t n);
    void (*squared_norm[2])(const Runtime&, float* result, const void* x, int64_t n, double* partial);
};

} // namespace luffy

#endif
