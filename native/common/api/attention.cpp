// Checks of attention and its cache.
#include "api.h"

namespace luffy {

namespace {

std::string describe(const lf_attention_shape* s) {
    if (s == nullptr) return "no shape";
    return std::to_string(s->heads) + " heads, " + std::to_string(s->kv_heads) + " key-value heads of " +
           std::to_string(s->head_dim);
}

const char* shape_problem(const lf_attention_shape* s) {
    if (s == nullptr || s->heads < 1 || s->kv_heads < 1 || s->head_dim < 1 || s->heads % s->kv_heads != 0)
        return "heads must be a multiple of key-value heads, and all positive";
    if (!(s->scale > 0)) return "scale must be positive";
    static_assert(max_head_dim == 256);
    return s->head_dim > max_head_dim ? "the native kernels take heads of at most 256 elements" : nullptr;
}

const char* qkv_problem(const lf_tensor* qkv, const lf_attention_shape* s) {
    const char* problem = shape_problem(s);
    if (problem != nullptr) return problem;
    const int64_t row = (s->heads + int64_t{2} * s->kv_heads) * s->head_dim;
    return !is_float(qkv) || (row_length(qkv) != row && length(qkv) != 0) ? "qkv must be f32 or bf16 [T, PackedHeads, D]"
                                                                          : nullptr;
}

bool is_starts(const lf_tensor* t) { return exists(t) && length(t) > 0 && is_vector(t, LF_I32, length(t)); }

const int32_t* ints(const lf_tensor* t) { return static_cast<const int32_t*>(t->data); }

int64_t page_bytes(const lf_context* context, const lf_attention_shape* s, int32_t dtype) {
    return context->kernels->attention_page_bytes[dtype](*s);
}

AttentionArguments packed_arguments(const lf_context* context, const lf_tensor* qkv, const lf_tensor* starts,
                                    const lf_attention_shape* shape) {
    AttentionArguments a{};
    a.shape = *shape;
    a.qkv = qkv->data;
    a.query_starts = static_cast<const int32_t*>(starts->data);
    a.host_query_starts = host_integers(context, starts);
    a.sequences = length(starts) - 1;
    return a;
}

lf_status forward(lf_context* context, const lf_tensor* y, const lf_tensor* log_sum_exp, const lf_tensor* qkv,
                  const lf_tensor* sequence_starts, const lf_attention_shape* shape) {
    return guarded([&] {
        const char* problem = qkv_problem(qkv, shape);
        if (problem == nullptr) {
            problem = !is_matrix(y, qkv->dtype, qkv->dim[0], int64_t{shape->heads} * shape->head_dim)
                          ? "y must be [T, Heads, D] of the dtype of qkv"
                      : !is_matrix(log_sum_exp, LF_F32, qkv->dim[0], shape->heads) ? "logSumExp must be f32 [T, Heads]"
                      : !is_starts(sequence_starts)                                ? "sequenceStarts must be i32 [S + 1]"
                                                                                   : nullptr;
        }
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; " + describe(shape),
                          {{"y", y}, {"logSumExp", log_sum_exp}, {"qkv", qkv}, {"sequenceStarts", sequence_starts}});
        }
        LF_RETURN_IF_REFUSED(
            check_starts("sequenceStarts", host_integers(context, sequence_starts), length(sequence_starts), qkv->dim[0]));
        context->kernels->attention_forward[qkv->dtype](context->runtime, y->data, static_cast<float*>(log_sum_exp->data),
                                                        packed_arguments(context, qkv, sequence_starts, shape));
        return LF_OK;
    });
}

int64_t backward_scratch_bytes(lf_context* context, int64_t tokens, int64_t max_length, const lf_attention_shape* shape,
                               int32_t dtype) {
    const char* problem = shape_problem(shape);
    if (problem == nullptr && (tokens < 0 || max_length < 0)) problem = "tokens and maxLength must not be negative";
    if (problem == nullptr && dtype != LF_F32 && dtype != LF_BF16) problem = "attention takes f32 or bf16";
    if (problem != nullptr) return -fail(LF_INVALID_ARGUMENT, std::string(problem) + "; " + describe(shape));
    return context->kernels->attention_backward_scratch[dtype](context->runtime, tokens, max_length, *shape);
}

lf_status backward(lf_context* context, const lf_tensor* d_qkv, const lf_tensor* dy, const lf_tensor* y,
                   const lf_tensor* log_sum_exp, const lf_tensor* qkv, const lf_tensor* sequence_starts,
                   const lf_attention_shape* shape, const lf_tensor* scratch) {
    return guarded([&] {
        const char* problem = qkv_problem(qkv, shape);
        if (problem == nullptr) {
            const int64_t width = int64_t{shape->heads} * shape->head_dim;
            problem = !is_matrix(d_qkv, qkv->dtype, qkv->dim[0], row_length(qkv)) ? "dQkv must have the shape and dtype of qkv"
                      : !is_matrix(dy, qkv->dtype, qkv->dim[0], width)            ? "dy must be [T, Heads, D] of the dtype of qkv"
                      : !is_matrix(y, qkv->dtype, qkv->dim[0], width)             ? "y must be [T, Heads, D] of the dtype of qkv"
                      : !is_matrix(log_sum_exp, LF_F32, qkv->dim[0], shape->heads) ? "logSumExp must be f32 [T, Heads]"
                      : !is_starts(sequence_starts)                                ? "sequenceStarts must be i32 [S + 1]"
                                                                                   : nullptr;
        }
        if (problem == nullptr) {
            const int32_t* starts = host_integers(context, sequence_starts);
            LF_RETURN_IF_REFUSED(check_starts("sequenceStarts", starts, length(sequence_starts), qkv->dim[0]));
            int64_t longest = 0;
            for (int64_t s = 0; s + 1 < length(sequence_starts); s++)
                longest = starts[s + 1] - starts[s] > longest ? starts[s + 1] - starts[s] : longest;
            if (!is_bytes(scratch, context->kernels->attention_backward_scratch[qkv->dtype](context->runtime, qkv->dim[0],
                                                                                            longest, *shape)))
                problem = "scratch is too small";
        }
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; " + describe(shape), {{"dQkv", d_qkv},
                                                                          {"dy", dy},
                                                                          {"y", y},
                                                                          {"logSumExp", log_sum_exp},
                                                                          {"qkv", qkv},
                                                                          {"sequenceStarts", sequence_starts},
                                                                          {"scratch", scratch}});
        }
        context->kernels->attention_backward[qkv->dtype](
            context->runtime, {d_qkv->data, dy->data, y->data, static_cast<const float*>(log_sum_exp->data)},
            packed_arguments(context, qkv, sequence_starts, shape), static_cast<char*>(data_or_null(scratch)));
        return LF_OK;
    });
}

int64_t cache_bytes(lf_context* context, int64_t pages, const lf_attention_shape* shape, int32_t dtype) {
    const char* problem = shape_problem(shape);
    if (problem == nullptr && (pages < 0 || (dtype != LF_F32 && dtype != LF_BF16))) problem = "a cache has pages of f32 or bf16";
    if (problem != nullptr) return -fail(LF_INVALID_ARGUMENT, std::string(problem) + "; " + describe(shape));
    return pages * page_bytes(context, shape, dtype);
}

lf_status store_key_value(lf_context* context, const lf_tensor* cache, const lf_tensor* qkv, const lf_tensor* slots,
                          int64_t pages, const lf_attention_shape* shape) {
    return guarded([&] {
        const char* problem = qkv_problem(qkv, shape);
        if (problem == nullptr) {
            problem = pages < 0 || !is_bytes(cache, pages * page_bytes(context, shape, qkv->dtype))
                          ? "cache is too small for its pages"
                      : !is_vector(slots, LF_I32, qkv->dim[0]) ? "slots must be i32 [T]"
                                                               : nullptr;
        }
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; " + std::to_string(pages) + " pages, " + describe(shape),
                          {{"cache", cache}, {"qkv", qkv}, {"slots", slots}});
        }
        LF_RETURN_IF_REFUSED(check_range("slots", host_integers(context, slots), qkv->dim[0], pages * LF_PAGE_SIZE));
        context->kernels->attention_store[qkv->dtype](context->runtime, data_or_null(cache), qkv->data, ints(slots), qkv->dim[0],
                                                      *shape);
        return LF_OK;
    });
}

lf_status copy_pages(lf_context* context, const lf_tensor* cache, const lf_tensor* copies, int64_t pages,
                     const lf_attention_shape* shape, int32_t dtype) {
    return guarded([&] {
        const char* problem = shape_problem(shape);
        if (problem == nullptr) {
            problem = dtype != LF_F32 && dtype != LF_BF16 ? "a cache has pages of f32 or bf16"
                      : pages < 0 || !is_bytes(cache, pages * page_bytes(context, shape, dtype))
                          ? "cache is too small for its pages"
                      : !is_of(copies, LF_I32) || (row_length(copies) != 2 && length(copies) != 0) ? "copies must be i32 [n, 2]"
                                                                                                   : nullptr;
        }
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; " + std::to_string(pages) + " pages, " + describe(shape),
                          {{"cache", cache}, {"copies", copies}});
        }
        LF_RETURN_IF_REFUSED(check_range("copies", host_integers(context, copies), length(copies), pages));
        context->kernels->attention_copy_pages(context->runtime, data_or_null(cache), ints(copies), length(copies) / 2,
                                               page_bytes(context, shape, dtype));
        return LF_OK;
    });
}

lf_status forward_paged(lf_context* context, const lf_tensor* y, const lf_tensor* qkv, const lf_tensor* cache,
                        const lf_tensor* page_table, const lf_tensor* query_starts, const lf_tensor* context_lengths,
                        int64_t pages, const lf_attention_shape* shape) {
    return guarded([&] {
        const char* problem = qkv_problem(qkv, shape);
        if (problem == nullptr) {
            problem = !is_matrix(y, qkv->dtype, qkv->dim[0], int64_t{shape->heads} * shape->head_dim)
                          ? "y must be [T, Heads, D] of the dtype of qkv"
                      : pages < 0 || !is_bytes(cache, pages * page_bytes(context, shape, qkv->dtype))
                          ? "cache is too small for its pages"
                      : !is_starts(query_starts)                                      ? "queryStarts must be i32 [S + 1]"
                      : !is_vector(context_lengths, LF_I32, length(query_starts) - 1) ? "contextLengths must be i32 [S]"
                      : !is_of(page_table, LF_I32) || page_table->dim[0] != length(context_lengths)
                          ? "pageTable must be i32 [S, P]"
                          : nullptr;
        }
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; " + std::to_string(pages) + " pages, " + describe(shape),
                          {{"y", y},
                           {"qkv", qkv},
                           {"cache", cache},
                           {"pageTable", page_table},
                           {"queryStarts", query_starts},
                           {"contextLengths", context_lengths}});
        }
        const int32_t* starts = host_integers(context, query_starts);
        const int32_t* lengths = host_integers(context, context_lengths);
        const int32_t* table = host_integers(context, page_table);
        LF_RETURN_IF_REFUSED(check_starts("queryStarts", starts, length(query_starts), qkv->dim[0]));
        const int64_t width = row_length(page_table);
        for (int64_t s = 0; s < length(context_lengths); s++) {
            const int64_t rows = starts[s + 1] - starts[s], needed = (int64_t{lengths[s]} + LF_PAGE_SIZE - 1) / LF_PAGE_SIZE;
            if (lengths[s] < rows || needed > width) {
                return refuse("contextLengths[" + std::to_string(s) + "] is " + std::to_string(lengths[s]) +
                                  ": it must hold the " + std::to_string(rows) + " rows of this call and fit in " +
                                  std::to_string(width) + " pages",
                              {});
            }
            LF_RETURN_IF_REFUSED(check_range("pageTable", table + s * width, needed, pages));
        }
        AttentionArguments a = packed_arguments(context, qkv, query_starts, shape);
        a.cache = cache->data;
        a.page_table = ints(page_table);
        a.context_lengths = ints(context_lengths);
        a.host_context_lengths = lengths;
        a.table_stride = width;
        context->kernels->attention_forward[qkv->dtype](context->runtime, y->data, nullptr, a);
        return LF_OK;
    });
}

} // namespace

void add_attention_functions(lf_kernels& t) {
    t.attention_forward = forward;
    t.attention_backward_scratch_bytes = backward_scratch_bytes;
    t.attention_backward = backward;
    t.attention_cache_bytes = cache_bytes;
    t.attention_store_key_value = store_key_value;
    t.attention_copy_pages = copy_pages;
    t.attention_forward_paged = forward_paged;
}

} // namespace luffy
