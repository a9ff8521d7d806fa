// All kernels of one instruction set, and their table.

#include "parallel.inl"
#include "memory.inl"
#include "gemm/packing.inl"
#include "gemm/kernel.inl"
#include "gemm/gemm.inl"
#include "embedding.inl"
#include "linear.inl"
#include "rms_norm.inl"
#include "rope.inl"
#include "swiglu.inl"
#include "columns.inl"
#include "attention/tiles.inl"
#include "attention/cache.inl"
#include "attention/forward.inl"
#include "attention/backward.inl"
#include "log_sum_exp.inl"
#include "policy_loss.inl"
#include "philox.inl"
#include "token_filter.inl"
#include "sampling.inl"
#include "adamw.inl"
#include "machine_peak.inl"

inline int64_t workspace_bytes() {
    const int64_t linear = policy_loss_workspace_bytes; // gemm's and a tile of logits
    const int64_t attention = attention_workspace_bytes();
    return linear > attention ? linear : attention;
}

constexpr CpuKernels make_kernels(const char* isa) {
    CpuKernels k{};
    k.isa = isa;
    k.copy[LF_F32][LF_F32] = copy_elements<float, float>;
    k.copy[LF_F32][LF_BF16] = copy_elements<float, bf16>;
    k.copy[LF_BF16][LF_F32] = copy_elements<bf16, float>;
    k.copy[LF_BF16][LF_BF16] = copy_elements<bf16, bf16>;
    k.host_integers = host_integers;
    k.copy_bytes = copy_bytes;
    k.zero = zero_bytes;
    k.embedding_forward = embedding_forward;
    k.embedding_backward[LF_F32][LF_F32] = embedding_backward<float, float>;
    k.embedding_backward[LF_F32][LF_BF16] = embedding_backward<float, bf16>;
    k.embedding_backward[LF_BF16][LF_BF16] = embedding_backward<bf16, bf16>;
    k.attention_copy_pages = attention_copy_pages;
    k.workspace_bytes = workspace_bytes;
    k.sampling_scratch = sampling_scratch;
    k.sample = sample;
    k.squared_norm_scratch = squared_norm_scratch;
    const auto by_storage = [](auto& entry, auto f32, auto bf16_storage) {
        entry[LF_F32] = f32;
        entry[LF_BF16] = bf16_storage;
    };
    by_storage(k.linear_packed_bytes, linear_packed_bytes<float>, linear_packed_bytes<bf16>);
    by_storage(k.embedding_forward_packed, embedding_forward_packed<float>, embedding_forward_packed<bf16>);
    by_storage(k.linear_pack, linear_pack<float>, linear_pack<bf16>);
    by_storage(k.linear_pack_rows, linear_pack_rows<float>, linear_pack_rows<bf16>);
    by_storage(k.linear_unpack, linear_unpack<float>, linear_unpack<bf16>);
    by_storage(k.linear_forward, linear_forward<float>, linear_forward<bf16>);
    by_storage(k.linear_backward_input, linear_backward_input<float>, linear_backward_input<bf16>);
    by_storage(k.linear_backward_weight, linear_backward_weight<float>, linear_backward_weight<bf16>);
    by_storage(k.rms_norm_forward, rms_norm_forward<float>, rms_norm_forward<bf16>);
    by_storage(k.rms_norm_backward, rms_norm_backward<float>, rms_norm_backward<bf16>);
    by_storage(k.rope, rope<float>, rope<bf16>);
    by_storage(k.attention_forward, attention_forward<float>, attention_forward<bf16>);
    by_storage(k.attention_backward_scratch, attention_backward_scratch<float>, attention_backward_scratch<bf16>);
    by_storage(k.attention_backward, attention_backward<float>, attention_backward<bf16>);
    by_storage(k.attention_page_bytes, attention_page_bytes<float>, attention_page_bytes<bf16>);
    by_storage(k.attention_store, attention_store<float>, attention_store<bf16>);
    by_storage(k.swiglu_forward, swiglu_forward<float>, swiglu_forward<bf16>);
    by_storage(k.swiglu_backward, swiglu_backward<float>, swiglu_backward<bf16>);
    by_storage(k.columns_take, columns_take<float>, columns_take<bf16>);
    by_storage(k.columns_put, columns_put<float>, columns_put<bf16>);
    by_storage(k.columns_add, columns_add<float>, columns_add<bf16>);
    by_storage(k.policy_loss_scratch, policy_loss_scratch<float>, policy_loss_scratch<bf16>);
    by_storage(k.policy_loss, policy_loss<float>, policy_loss<bf16>);
    by_storage(k.adamw_update[LF_F32], adamw_update<float, float, float>, adamw_update<float, float, bf16>);
    by_storage(k.adamw_update[LF_BF16], adamw_update<bf16, float, float>, adamw_update<bf16, float, bf16>);
    by_storage(k.adamw_update_rounded, adamw_update<bf16, bf16, float>, adamw_update<bf16, bf16, bf16>);
    by_storage(k.squared_norm, squared_norm<float>, squared_norm<bf16>);
    by_storage(k.multiply_adds, multiply_adds<F32Element>, multiply_adds<Bf16Element>);
    k.read_memory = read_memory;
    return k;
}
