/* The one interface between Luffy's managed code and its native backends (C99).
 *
 * Each backend library (libluffy_cpu, libluffy_cuda) exports exactly one symbol, luffy_kernels(), which returns a table of
 * functions. No C++ type and no exception crosses it. Shapes, dtypes and the meaning of every operation are those of the managed
 * contracts, src/Luffy.Kernels/Ops/{Op}.cs; names of parameters are theirs too. Order everywhere: context, outputs, inputs,
 * scalars, scratch. An optional tensor is passed as NULL or with data == NULL;
 * a weight of which only the packed form is there keeps its dtype and dimensions. Every function checks every shape and dtype
 * before it touches memory, returns LF_OK or an error status, and leaves a message that shows them all in last_error() of the
 * calling thread. One thread at a time calls into a context.
 */
#ifndef LUFFY_KERNELS_H
#define LUFFY_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LF_ABI_VERSION 3u

typedef enum lf_status {
    LF_OK = 0,
    LF_INVALID_ARGUMENT = 1, /* a shape, dtype, value or pointer is not what the contract says */
    LF_UNSUPPORTED = 2,      /* this machine cannot do it: the message says what is missing */
    LF_OUT_OF_MEMORY = 3,
    LF_INTERNAL = 4
} lf_status;

typedef enum lf_dtype { LF_F32 = 0, LF_BF16 = 1, LF_I32 = 2, LF_U8 = 3 } lf_dtype;

/* Dense and row-major; unused trailing dimensions are 1. */
typedef struct lf_tensor {
    void* data;
    int64_t dim[4];
    int32_t dtype;
    int32_t reserved; /* 0 */
} lf_tensor;

typedef struct lf_context lf_context;

typedef struct lf_context_options {
    int32_t threads; /* 0: one for each available core; of a GPU, the multiprocessors that grids are sized for */
    int32_t fast;    /* not 0: give batch invariance up where that is faster; a library without such a mode ignores it */
    /* NULL: the best that the machine has; else avx2, avx512, avx512bf16, or of a GPU, for products, mma or wgmma; missing is
       LF_UNSUPPORTED */
    const char* isa;
} lf_context_options;

typedef struct lf_attention_shape {
    int32_t heads;
    int32_t kv_heads;
    int32_t head_dim;
    float scale;
} lf_attention_shape;

#define LF_PAGE_SIZE 16 /* tokens of one key-value cache page */

typedef struct lf_sampling_options {
    float temperature;
    int32_t top_k;
    float top_p;
    float min_p;
    uint64_t seed;
} lf_sampling_options;

typedef struct lf_adamw_options {
    float learning_rate;
    float beta1;
    float beta2;
    float epsilon;
    float weight_decay;
    float gradient_scale;
    int64_t step;
    uint64_t rounding_key;
} lf_adamw_options;

typedef enum lf_shaping {
    LF_SHAPING_NONE = 0,
    LF_SHAPING_REGULARIZED = 1,
    LF_SHAPING_SQUARE_ROOT = 2,
    LF_SHAPING_POWER = 3,
    LF_SHAPING_LOG_PROB = 4,
    LF_SHAPING_PROB_PLUS_LOG_PROB = 5,
    LF_SHAPING_TRUST_REGION = 6,          /* off-policy tokens alone, recorded ones too */
    LF_SHAPING_PROB_TIMES_COMPLEMENT = 7, /* likewise */
    LF_SHAPING_MULTIPLE_IMPORTANCE = 8,   /* off-policy tokens alone, not recorded ones */
    LF_SHAPING_CLIPPED_RATIO = 9          /* on-policy tokens alone */
} lf_shaping;

typedef struct lf_policy_options {
    float temperature;
    int32_t off_shaping;
    float off_gamma;
    float off_exponent;
    float off_log_prob_weight;
    float off_min_weight;
    float off_max_weight;
    float off_uniform;
    int32_t behavior_shaping;
    float behavior_gamma;
    int32_t on_shaping;
    float on_gamma;
    float on_exponent;
    float on_log_prob_weight;
    int32_t clip;
    float epsilon;
    float epsilon_high;
    float max_probability;
    float entropy_coefficient;
    float kl_coefficient;
    int32_t kl_estimator; /* 0 k1, 1 k2, 2 k3 */
} lf_policy_options;

/* Per-token inputs of the objective, each [R]; the last two are optional. */
typedef struct lf_policy_tokens {
    lf_tensor targets;
    lf_tensor advantages;
    lf_tensor old_log_probs;
    lf_tensor off_policy;
    lf_tensor weights;
    lf_tensor behavior_log_probs;
    lf_tensor reference_log_probs;
} lf_policy_tokens;

#define LF_TOKEN_STATISTICS 8 /* log_prob, entropy, log_sum_exp, policy_loss, weight, policy_gradient, kl, clipped */

typedef struct lf_kernels {
    uint32_t abi_version; /* LF_ABI_VERSION */
    uint32_t table_bytes; /* sizeof(lf_kernels): a caller built against a longer table refuses a shorter one */

    /* Context and memory */
    lf_status (*create)(lf_context** context, const lf_context_options* options);
    void (*destroy)(lf_context* context);
    const char* (*last_error)(void);
    const char* (*description)(lf_context* context); /* one line; lives as long as the context */
    int32_t (*threads)(lf_context* context);
    int32_t (*preferred_dtype)(lf_context* context);
    int32_t (*batch_invariant)(lf_context* context); /* 0: a faster mode was asked for, in which bits depend on the batch */
    int64_t (*workspace_bytes)(lf_context* context);
    int64_t (*free_bytes)(lf_context* context); /* of the device's own memory; -1 where it computes in the host's */
    /* Zeroed, 64-byte aligned or better. on_host not 0: memory of the host that a device with its own reaches all the same,
       slowly; LF_UNSUPPORTED where the device computes in the host's memory anyway. */
    lf_status (*allocate)(lf_context* context, void** memory, int64_t bytes, int32_t on_host);
    lf_status (*release)(lf_context* context, void* memory);
    lf_status (*upload)(lf_context* context, const lf_tensor* destination, const void* host);
    lf_status (*download)(lf_context* context, void* host, const lf_tensor* source); /* waits for what was issued before */
    lf_status (*synchronize)(lf_context* context);
    lf_status (*zero)(lf_context* context, const lf_tensor* tensor);
    lf_status (*copy)(lf_context* context, const lf_tensor* destination, const lf_tensor* source);

    /* Embedding */
    lf_status (*embedding_forward)(lf_context* context, const lf_tensor* y, const lf_tensor* weight, const lf_tensor* packed,
                                   const lf_tensor* ids);
    lf_status (*embedding_backward)(lf_context* context, const lf_tensor* d_weight, const lf_tensor* dy, const lf_tensor* ids);

    /* Linear */
    int64_t (*linear_packed_bytes)(lf_context* context, int64_t n, int64_t k, int32_t dtype);
    lf_status (*linear_pack)(lf_context* context, const lf_tensor* packed, const lf_tensor* weight);
    lf_status (*linear_pack_rows)(lf_context* context, const lf_tensor* packed, const lf_tensor* weight, const lf_tensor* rows,
                                  int64_t first);
    lf_status (*linear_unpack)(lf_context* context, const lf_tensor* rows, const lf_tensor* weight, const lf_tensor* packed,
                               int64_t first_row);
    lf_status (*linear_forward)(lf_context* context, const lf_tensor* y, const lf_tensor* x, const lf_tensor* weight,
                                const lf_tensor* packed, const lf_tensor* bias);
    lf_status (*linear_backward_input)(lf_context* context, const lf_tensor* dx, const lf_tensor* dy, const lf_tensor* weight,
                                       const lf_tensor* packed);
    lf_status (*linear_backward_weight)(lf_context* context, const lf_tensor* d_weight, const lf_tensor* d_bias,
                                        const lf_tensor* dy, const lf_tensor* x);

    /* RmsNorm */
    lf_status (*rms_norm_forward)(lf_context* context, const lf_tensor* y, const lf_tensor* rstd, const lf_tensor* x,
                                  const lf_tensor* weight, float epsilon);
    lf_status (*rms_norm_add_forward)(lf_context* context, const lf_tensor* y, const lf_tensor* sum, const lf_tensor* rstd,
                                      const lf_tensor* x, const lf_tensor* delta, const lf_tensor* weight, float epsilon);
    lf_status (*rms_norm_backward)(lf_context* context, const lf_tensor* dx, const lf_tensor* d_weight, const lf_tensor* dy,
                                   const lf_tensor* x, const lf_tensor* rstd, const lf_tensor* weight);
    lf_status (*rms_norm_add_backward)(lf_context* context, const lf_tensor* dx, const lf_tensor* d_weight, const lf_tensor* dy,
                                       const lf_tensor* d_residual, const lf_tensor* x, const lf_tensor* rstd,
                                       const lf_tensor* weight);

    /* Rope */
    lf_status (*rope_forward)(lf_context* context, const lf_tensor* qkv, const lf_tensor* positions, const lf_tensor* table,
                              int32_t rotated_heads);
    lf_status (*rope_backward)(lf_context* context, const lf_tensor* d_qkv, const lf_tensor* positions, const lf_tensor* table,
                               int32_t rotated_heads);

    /* Attention */
    lf_status (*attention_forward)(lf_context* context, const lf_tensor* y, const lf_tensor* log_sum_exp, const lf_tensor* qkv,
                                   const lf_tensor* sequence_starts, const lf_attention_shape* shape);
    int64_t (*attention_backward_scratch_bytes)(lf_context* context, int64_t tokens, int64_t max_length,
                                                const lf_attention_shape* shape, int32_t dtype);
    lf_status (*attention_backward)(lf_context* context, const lf_tensor* d_qkv, const lf_tensor* dy, const lf_tensor* y,
                                    const lf_tensor* log_sum_exp, const lf_tensor* qkv, const lf_tensor* sequence_starts,
                                    const lf_attention_shape* shape, const lf_tensor* scratch);
    int64_t (*attention_cache_bytes)(lf_context* context, int64_t pages, const lf_attention_shape* shape, int32_t dtype);
    lf_status (*attention_store_key_value)(lf_context* context, const lf_tensor* cache, const lf_tensor* qkv,
                                           const lf_tensor* slots, int64_t pages, const lf_attention_shape* shape);
    lf_status (*attention_copy_pages)(lf_context* context, const lf_tensor* cache, const lf_tensor* copies, int64_t pages,
                                      const lf_attention_shape* shape, int32_t dtype);
    lf_status (*attention_forward_paged)(lf_context* context, const lf_tensor* y, const lf_tensor* qkv, const lf_tensor* cache,
                                         const lf_tensor* page_table, const lf_tensor* query_starts,
                                         const lf_tensor* context_lengths, int64_t pages, const lf_attention_shape* shape);

    /* SwiGlu */
    lf_status (*swiglu_forward)(lf_context* context, const lf_tensor* y, const lf_tensor* gate_up);
    lf_status (*swiglu_backward)(lf_context* context, const lf_tensor* d_gate_up, const lf_tensor* dy, const lf_tensor* gate_up);

    /* Columns */
    lf_status (*columns_take)(lf_context* context, const lf_tensor* z, const lf_tensor* y, int64_t start, float scale);
    lf_status (*columns_put)(lf_context* context, const lf_tensor* y, const lf_tensor* z, int64_t start);
    lf_status (*columns_add)(lf_context* context, const lf_tensor* y, const lf_tensor* z, int64_t start, float scale);

    /* PolicyLoss */
    int64_t (*policy_loss_scratch_bytes)(lf_context* context, int64_t rows, int64_t hidden_size, int64_t vocabulary,
                                         int32_t dtype);
    lf_status (*policy_loss_log_prob)(lf_context* context, const lf_tensor* statistics, const lf_tensor* hidden,
                                      const lf_tensor* head, const lf_tensor* packed_head, const lf_tensor* targets,
                                      float temperature, const lf_tensor* scratch);
    lf_status (*policy_loss_forward_backward)(lf_context* context, const lf_tensor* d_hidden, const lf_tensor* d_head,
                                              const lf_tensor* statistics, const lf_tensor* hidden, const lf_tensor* head,
                                              const lf_tensor* packed_head, const lf_policy_tokens* tokens,
                                              const lf_policy_options* options, const lf_tensor* scratch);

    /* Sampling */
    int64_t (*sampling_scratch_bytes)(lf_context* context, int64_t rows, int64_t vocabulary);
    lf_status (*sampling_sample)(lf_context* context, const lf_tensor* ids, const lf_tensor* log_probs,
                                 const lf_tensor* sampled_log_probs, const lf_tensor* logits, const lf_tensor* keys,
                                 const lf_sampling_options* options, const lf_tensor* scratch);

    /* AdamW */
    lf_status (*adamw_update)(lf_context* context, const lf_tensor* weights, const lf_tensor* remainders, const lf_tensor* m,
                              const lf_tensor* v, const lf_tensor* gradient, const lf_adamw_options* options);
    int64_t (*adamw_squared_norm_scratch_bytes)(lf_context* context, int64_t n);
    lf_status (*adamw_squared_norm)(lf_context* context, const lf_tensor* result, const lf_tensor* x, const lf_tensor* scratch);

    /* Diagnostics: what this machine does at best on all threads of the context, each measured in about a tenth of a second.
       Arithmetic: multiply-adds of operands of a dtype in registers (each counts as two operations). Bandwidth: reading memory
       that no cache holds. */
    lf_status (*measure_arithmetic)(lf_context* context, int32_t dtype, double* operations_per_second);
    lf_status (*measure_bandwidth)(lf_context* context, double* bytes_per_second);
} lf_kernels;

/* The table, or NULL where this library does not speak abi_version. */
#if defined(_WIN32)
__declspec(dllexport)
#elif defined(__GNUC__)
__attribute__((visibility("default")))
#endif
    const lf_kernels* luffy_kernels(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
