// Attention's entries in the table: what of a call goes to which kernel.
#include "attention/calls.h"
#include "operations.h"

#include <algorithm>

namespace luffy {

namespace attention {

namespace {

template <class T> bool whole_rows(const void* p, const Geometry& shape) {
    return p == nullptr || (reinterpret_cast<uintptr_t>(p) % 16 == 0 && shape.head_dim * sizeof(T) % 16 == 0);
}

template <class T> void forward_tiles(const Runtime& runtime, const ForwardCall<T>& call, int64_t tokens) {
    if constexpr (std::is_same_v<T, bf16>) {
        forward_bf16(runtime, call, tokens);
    } else {
        forward_f32(runtime, call, tokens);
    }
}

template <class T> void decode(const Runtime& runtime, const ForwardCall<T>& call, const DecodedBatch& batch) {
    if constexpr (std::is_same_v<T, bf16>) {
        decode_bf16(runtime, call, batch);
    } else {
        decode_f32(runtime, call, batch);
    }
    merge_chunks(runtime, call, batch);
}

template <class T> void forward(const Runtime& runtime, void* y, float* log_sum_exp, const AttentionArguments& a) {
    const Geometry shape(a.shape);
    const int sequences = static_cast<int>(a.sequences);
    const int64_t tokens = a.host_query_starts[sequences];
    if (tokens == 0) return;
    ForwardCall<T> call{static_cast<T*>(y),
                        log_sum_exp,
                        static_cast<const T*>(a.qkv),
                        a.query_starts,
                        sequences,
                        static_cast<const T*>(a.cache),
                        a.page_table,
                        a.context_lengths,
                        a.table_stride,
                        shape,
                        whole_rows<T>(y, shape) && whole_rows<T>(a.qkv, shape) && whole_rows<T>(a.cache, shape),
                        false};
    if (a.cache == nullptr) return forward_tiles(runtime, call, tokens);

    // Which sequences are decoded, and the room that the chunks of one of them need.
    call.decodes = true;
    DecodedBatch batch{};
    batch.width = padded_width(shape.head_dim, 64);
    bool prompts = false;
    for (int s = 0; s < sequences; s++) {
        const int length = a.host_query_starts[s + 1] - a.host_query_starts[s];
        if (length == 0) continue;
        if (!call.is_decoded(length)) {
            prompts = true;
            continue;
        }
        batch.rows = std::max(batch.rows, length * shape.group);
        batch.chunks = std::max(batch.chunks, (a.host_context_lengths[s] + chunk_keys - 1) / chunk_keys);
    }
    const int64_t slots = int64_t{shape.kv_heads} * batch.rows * batch.chunks;
    const int64_t sequence_bytes = slots * (batch.width + 2) * static_cast<int64_t>(sizeof(float));
    if (sequence_bytes > runtime.workspace_bytes) {
        // Millions of tokens: the kernel for prompts needs no room, and gives the same bits.
        call.decodes = false;
        prompts = true;
    }
    if (prompts) forward_tiles(runtime, call, tokens);
    if (!call.decodes || slots == 0) return;

    const int64_t together = std::min<int64_t>(runtime.workspace_bytes / sequence_bytes, sequences);
    batch.outputs = reinterpret_cast<float*>(runtime.workspace);
    batch.statistics = batch.outputs + together * slots * batch.width;
    for (int64_t first = 0; first < sequences; first += together) {
        batch.first = static_cast<int>(first);
        batch.sequences = static_cast<int>(std::min(together, sequences - first));
        decode(runtime, call, batch);
    }
}

int64_t backward_scratch(const Runtime&, int64_t tokens, int64_t, const lf_attention_shape& shape) {
    return 2 * tokens * shape.heads * static_cast<int64_t>(sizeof(float));
}

template <class T>
void backward(const Runtime& runtime, const AttentionGradients& g, const AttentionArguments& a, char* scratch) {
    const Geometry shape(a.shape);
    const int sequences = static_cast<int>(a.sequences);
    const int64_t tokens = a.host_query_starts[sequences];
    if (tokens == 0) return;
    float *const base2 = reinterpret_cast<float*>(scratch), *const delta = base2 + tokens * shape.heads;
    find_delta(runtime, base2, delta, g.log_sum_exp, static_cast<const T*>(g.dy), static_cast<const T*>(g.y), shape, tokens);
    const BackwardCall call{
        g.d_qkv,   g.dy,
        a.qkv,     a.query_starts,
        sequences, tokens,
        base2,     delta,
        shape,     whole_rows<T>(g.d_qkv, shape) && whole_rows<T>(g.dy, shape) && whole_rows<T>(a.qkv, shape)};
    if constexpr (std::is_same_v<T, bf16>) {
        backward_bf16(runtime, call);
    } else {
        backward_f32(runtime, call);
    }
}

template <class T> int64_t page_bytes(const lf_attention_shape& shape) {
    return Geometry(shape).page_elements() * static_cast<int64_t>(sizeof(T));
}

} // namespace

} // namespace attention

void add_attention(Kernels& kernels) {
    kernels.attention_forward[LF_F32] = attention::forward<float>;
    kernels.attention_forward[LF_BF16] = attention::forward<bf16>;
    kernels.attention_backward_scratch[LF_F32] = attention::backward_scratch;
    kernels.attention_backward_scratch[LF_BF16] = attention::backward_scratch;
    kernels.attention_backward[LF_F32] = attention::backward<float>;
    kernels.attention_backward[LF_BF16] = attention::backward<bf16>;
    kernels.attention_page_bytes[LF_F32] = attention::page_bytes<float>;
    kernels.attention_page_bytes[LF_BF16] = attention::page_bytes<bf16>;
    kernels.attention_store[LF_F32] = attention::store_key_value<float>;
    kernels.attention_store[LF_BF16] = attention::store_key_value<bf16>;
    kernels.attention_copy_pages = attention::copy_pages;
}

} // namespace luffy
