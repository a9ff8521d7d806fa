// Checks of the layers without memory of other tokens: Embedding, Linear, RmsNorm, Rope, SwiGlu, Columns.
#include "api.h"

namespace luffy {

namespace {

bool is_packed(lf_context* context, const lf_tensor* packed, const lf_tensor* weight) {
    return is_bytes(packed, context->kernels->linear_packed_bytes[weight->dtype](weight->dim[0], row_length(weight)));
}

lf_status embedding_forward(lf_context* context, const lf_tensor* y, const lf_tensor* weight, const lf_tensor* packed,
                            const lf_tensor* ids) {
    return guarded([&] {
        const int64_t rows = exists(ids) ? length(ids) : 0;
        const char* problem = !is_weight(weight, packed)                               ? "weight must be f32 or bf16 [V, H]"
                              : !is_vector(ids, LF_I32, rows)                          ? "ids must be i32 [T]"
                              : !is_matrix(y, weight->dtype, rows, row_length(weight)) ? "y must be [T, H] of the weight's dtype"
                              : exists(packed) && !is_packed(context, packed, weight)
                                  ? "packed must be u8 of the packed bytes of [V, H]"
                                  : nullptr;
        if (problem != nullptr) return refuse(problem, {{"y", y}, {"weight", weight}, {"packed", packed}, {"ids", ids}});
        const int32_t* tokens = static_cast<const int32_t*>(ids->data);
        LF_RETURN_IF_REFUSED(check_range("ids", host_integers(context, ids), rows, weight->dim[0]));
        if (exists(weight)) {
            context->kernels->embedding_forward(context->runtime, y->data, weight->data, tokens, rows,
                                                row_length(weight) * (weight->dtype == LF_F32 ? 4 : 2));
        } else {
            context->kernels->embedding_forward_packed[weight->dtype](context->runtime, y->data, packed->data, tokens, rows,
                                                                      row_length(weight));
        }
        return LF_OK;
    });
}

lf_status embedding_backward(lf_context* context, const lf_tensor* d_weight, const lf_tensor* dy, const lf_tensor* ids) {
    return guarded([&] {
        const int64_t rows = exists(ids) ? length(ids) : 0;
        const char* problem = !is_float(dy)                   ? "dy must be f32 or bf16 [T, H]"
                              : !is_vector(ids, LF_I32, rows) ? "ids must be i32 [T]"
                              : !is_float(d_weight) || (d_weight->dtype != LF_F32 && d_weight->dtype != dy->dtype)
                                  ? "dWeight must be f32, or the dtype of dy"
                              : !is_matrix(dy, rows, row_length(d_weight)) ? "dy must be [T, H] where dWeight is [V, H]"
                                                                           : nullptr;
        if (problem != nullptr) return refuse(problem, {{"dWeight", d_weight}, {"dy", dy}, {"ids", ids}});
        const int32_t* tokens = host_integers(context, ids);
        LF_RETURN_IF_REFUSED(check_range("ids", tokens, rows, d_weight->dim[0]));
        context->kernels->embedding_backward[d_weight->dtype][dy->dtype](context->runtime, d_weight->data, dy->data,
                                                                         static_cast<const int32_t*>(ids->data), tokens, rows,
                                                                         row_length(d_weight));
        return LF_OK;
    });
}

int64_t linear_packed_bytes(lf_context* context, int64_t n, int64_t k, int32_t dtype) {
    if (n < 0 || k < 0 || (dtype != LF_F32 && dtype != LF_BF16)) {
        return -fail(LF_INVALID_ARGUMENT, "a packed weight is f32 or bf16 [N, K], not dtype " + std::to_string(dtype) + " [" +
                                              std::to_string(n) + ", " + std::to_string(k) + "]");
    }
    return context->kernels->linear_packed_bytes[dtype](n, k);
}

lf_status linear_pack(lf_context* context, const lf_tensor* packed, const lf_tensor* weight) {
    return guarded([&] {
        const char* problem = !is_float(weight)                     ? "weight must be f32 or bf16 [N, K]"
                              : !is_packed(context, packed, weight) ? "packed must be u8 of the packed bytes of [N, K]"
                                                                    : nullptr;
        if (problem != nullptr) return refuse(problem, {{"packed", packed}, {"weight", weight}});
        context->kernels->linear_pack[weight->dtype](context->runtime, data_or_null(packed), weight->data, weight->dim[0],
                                                     row_length(weight));
        return LF_OK;
    });
}

// Both ways between rows and the packed form.
const char* rows_problem(lf_context* context, const lf_tensor* rows, const lf_tensor* weight, const lf_tensor* packed,
                         int64_t first) {
    return !is_weight(weight, packed)            ? "weight must be f32 or bf16 [N, K]"
           : !is_packed(context, packed, weight) ? "packed must be u8 of the packed bytes of [N, K]"
           : !is_sized(rows) || !is_matrix(rows, weight->dtype, rows->dim[0], row_length(weight))
               ? "rows must be [R, K] of the weight's dtype"
           : first < 0 || first + rows->dim[0] > weight->dim[0] ? "the rows must lie within the weight"
                                                                : nullptr;
}

lf_status linear_pack_rows(lf_context* context, const lf_tensor* packed, const lf_tensor* weight, const lf_tensor* rows,
                           int64_t first) {
    return guarded([&] {
        const char* problem = rows_problem(context, rows, weight, packed, first);
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; first row " + std::to_string(first),
                          {{"packed", packed}, {"weight", weight}, {"rows", rows}});
        }
        context->kernels->linear_pack_rows[weight->dtype](context->runtime, data_or_null(packed), rows->data, first, rows->dim[0],
                                                          row_length(weight));
        return LF_OK;
    });
}

lf_status linear_unpack(lf_context* context, const lf_tensor* rows, const lf_tensor* weight, const lf_tensor* packed,
                        int64_t first) {
    return guarded([&] {
        const char* problem = rows_problem(context, rows, weight, packed, first);
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; first row " + std::to_string(first),
                          {{"rows", rows}, {"weight", weight}, {"packed", packed}});
        }
        context->kernels->linear_unpack[weight->dtype](context->runtime, rows->data, data_or_null(packed), first, rows->dim[0],
                                                       row_length(weight));
        return LF_OK;
    });
}

lf_status linear_forward(lf_context* context, const lf_tensor* y, const lf_tensor* x, const lf_tensor* weight,
                         const lf_tensor* packed, const lf_tensor* bias) {
    return guarded([&] {
        const char* problem =
            !is_weight(weight, packed) ? "weight must be f32 or bf16 [N, K]"
            : !is_float(x) || !is_matrix(x, weight->dtype, x->dim[0], row_length(weight))
                ? "x must be [T, K] of the weight's dtype"
            : !is_matrix(y, x->dim[0], weight->dim[0]) || (y->dtype != x->dtype && y->dtype != LF_F32)
                ? "y must be [T, N], f32 or the dtype of x"
            : exists(bias) && !is_vector(bias, weight->dtype, weight->dim[0]) ? "bias must be [N] of the weight's dtype"
            : exists(packed) && !is_packed(context, packed, weight)           ? "packed must be u8 of the packed bytes of [N, K]"
                                                                              : nullptr;
        if (problem != nullptr)
            return refuse(problem, {{"y", y}, {"x", x}, {"weight", weight}, {"packed", packed}, {"bias", bias}});
        context->kernels->linear_forward[x->dtype](context->runtime, y->data, y->dtype == LF_F32, x->data, weight->data,
                                                   data_or_null(packed), data_or_null(bias),
                                                   {x->dim[0], weight->dim[0], row_length(weight)});
        return LF_OK;
    });
}

lf_status linear_backward_input(lf_context* context, const lf_tensor* dx, const lf_tensor* dy, const lf_tensor* weight,
                                const lf_tensor* packed) {
    return guarded([&] {
        const char* problem = !is_weight(weight, packed) ? "weight must be f32 or bf16 [N, K]"
                              : !is_float(dy) || !is_matrix(dy, weight->dtype, dy->dim[0], weight->dim[0])
                                  ? "dy must be [T, N] of the weight's dtype"
                              : !is_matrix(dx, dy->dtype, dy->dim[0], row_length(weight)) ? "dx must be [T, K] of the dtype of dy"
                              : exists(packed) && !is_packed(context, packed, weight)
                                  ? "packed must be u8 of the packed bytes of [N, K]"
                                  : nullptr;
        if (problem != nullptr) return refuse(problem, {{"dx", dx}, {"dy", dy}, {"weight", weight}, {"packed", packed}});
        context->kernels->linear_backward_input[dy->dtype](context->runtime, dx->data, dy->data, weight->data,
                                                           data_or_null(packed),
                                                           {dy->dim[0], weight->dim[0], row_length(weight)});
        return LF_OK;
    });
}

lf_status linear_backward_weight(lf_context* context, const lf_tensor* d_weight, const lf_tensor* d_bias, const lf_tensor* dy,
                                 const lf_tensor* x) {
    return guarded([&] {
        const char* problem =
            !is_float(x)                                                           ? "x must be f32 or bf16 [T, K]"
            : !is_float(dy) || !is_matrix(dy, x->dtype, x->dim[0], row_length(dy)) ? "dy must be [T, N] of the dtype of x"
            : !is_matrix(d_weight, row_length(dy), row_length(x)) || (d_weight->dtype != LF_F32 && x->dtype != LF_BF16)
                ? "dWeight must be [N, K], f32 or, of bf16 activations, bf16"
            : exists(d_bias) && !is_vector(d_bias, LF_F32, row_length(dy)) ? "dBias must be f32 [N]"
                                                                           : nullptr;
        if (problem != nullptr) return refuse(problem, {{"dWeight", d_weight}, {"dBias", d_bias}, {"dy", dy}, {"x", x}});
        context->kernels->linear_backward_weight[x->dtype](context->runtime, d_weight->data, d_weight->dtype == LF_BF16,
                                                           static_cast<float*>(data_or_null(d_bias)), dy->data, x->data,
                                                           {x->dim[0], row_length(dy), row_length(x)});
        return LF_OK;
    });
}

lf_status norm_forward(lf_context* context, const lf_tensor* y, const lf_tensor* sum, const lf_tensor* rstd, const lf_tensor* x,
                       const lf_tensor* delta, const lf_tensor* weight, float epsilon, bool adds) {
    return guarded([&] {
        const auto like_x = [&](const lf_tensor* t) { return is_matrix(t, x->dtype, x->dim[0], row_length(x)); };
        const char* problem = !is_float(x)                                  ? "x must be f32 or bf16 [T, H]"
                              : !like_x(y)                                  ? "y must have the shape and dtype of x"
                              : adds && !like_x(sum)                        ? "sum must have the shape and dtype of x"
                              : adds && !like_x(delta)                      ? "delta must have the shape and dtype of x"
                              : !is_vector(rstd, LF_F32, x->dim[0])         ? "rstd must be f32 [T]"
                              : !is_vector(weight, x->dtype, row_length(x)) ? "weight must be [H] of the dtype of x"
                                                                            : nullptr;
        if (problem != nullptr) {
            if (adds)
                return refuse(problem, {{"y", y}, {"sum", sum}, {"rstd", rstd}, {"x", x}, {"delta", delta}, {"weight", weight}});
            return refuse(problem, {{"y", y}, {"rstd", rstd}, {"x", x}, {"weight", weight}});
        }
        context->kernels->rms_norm_forward[x->dtype](context->runtime, y->data, data_or_null(sum),
                                                     static_cast<float*>(rstd->data), x->data, data_or_null(delta), weight->data,
                                                     epsilon, x->dim[0], row_length(x));
        return LF_OK;
    });
}

lf_status rms_norm_forward(lf_context* context, const lf_tensor* y, const lf_tensor* rstd, const lf_tensor* x,
                           const lf_tensor* weight, float epsilon) {
    return norm_forward(context, y, nullptr, rstd, x, nullptr, weight, epsilon, false);
}

lf_status rms_norm_add_forward(lf_context* context, const lf_tensor* y, const lf_tensor* sum, const lf_tensor* rstd,
                               const lf_tensor* x, const lf_tensor* delta, const lf_tensor* weight, float epsilon) {
    return norm_forward(context, y, sum, rstd, x, delta, weight, epsilon, true);
}

lf_status norm_backward(lf_context* context, const lf_tensor* dx, const lf_tensor* d_weight, const lf_tensor* dy,
                        const lf_tensor* d_residual, const lf_tensor* x, const lf_tensor* rstd, const lf_tensor* weight,
                        bool adds) {
    return guarded([&] {
        const auto like_x = [&](const lf_tensor* t) { return is_matrix(t, x->dtype, x->dim[0], row_length(x)); };
        const char* problem = !is_float(x)                                  ? "x must be f32 or bf16 [T, H]"
                              : !like_x(dx)                                 ? "dx must have the shape and dtype of x"
                              : !like_x(dy)                                 ? "dy must have the shape and dtype of x"
                              : adds && !like_x(d_residual)                 ? "dResidual must have the shape and dtype of x"
                              : !is_vector(d_weight, LF_F32, row_length(x)) ? "dWeight must be f32 [H]"
                              : !is_vector(rstd, LF_F32, x->dim[0])         ? "rstd must be f32 [T]"
                              : !is_vector(weight, x->dtype, row_length(x)) ? "weight must be [H] of the dtype of x"
                                                                            : nullptr;
        if (problem != nullptr) {
            if (adds) {
                return refuse(problem, {{"dx", dx},
                                        {"dWeight", d_weight},
                                        {"dy", dy},
                                        {"dResidual", d_residual},
                                        {"x", x},
                                        {"rstd", rstd},
                                        {"weight", weight}});
            }
            return refuse(problem, {{"dx", dx}, {"dWeight", d_weight}, {"dy", dy}, {"x", x}, {"rstd", rstd}, {"weight", weight}});
        }
        context->kernels->rms_norm_backward[x->dtype](context->runtime, dx->data, static_cast<float*>(d_weight->data), dy->data,
                                                      data_or_null(d_residual), x->data, static_cast<const float*>(rstd->data),
                                                      weight->data, x->dim[0], row_length(x));
        return LF_OK;
    });
}

lf_status rms_norm_backward(lf_context* context, const lf_tensor* dx, const lf_tensor* d_weight, const lf_tensor* dy,
                            const lf_tensor* x, const lf_tensor* rstd, const lf_tensor* weight) {
    return norm_backward(context, dx, d_weight, dy, nullptr, x, rstd, weight, false);
}

lf_status rms_norm_add_backward(lf_context* context, const lf_tensor* dx, const lf_tensor* d_weight, const lf_tensor* dy,
                                const lf_tensor* d_residual, const lf_tensor* x, const lf_tensor* rstd, const lf_tensor* weight) {
    return norm_backward(context, dx, d_weight, dy, d_residual, x, rstd, weight, true);
}

lf_status rotate(lf_context* context, const lf_tensor* qkv, const lf_tensor* positions, const lf_tensor* table,
                 int32_t rotated_heads, float sign) {
    return guarded([&] {
        const int64_t d = is_of(table, LF_F32) ? row_length(table) : 0;
        const char* problem = d == 0 || d % 2 != 0                                       ? "table must be f32 [P, D] with even D"
                              : !is_float(qkv) || row_length(qkv) % d != 0               ? "qkv must be f32 or bf16 [T, heads, D]"
                              : !is_vector(positions, LF_I32, qkv->dim[0])               ? "positions must be i32 [T]"
                              : rotated_heads < 0 || rotated_heads * d > row_length(qkv) ? "rotatedHeads exceeds the heads of qkv"
                                                                                         : nullptr;
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; rotatedHeads " + std::to_string(rotated_heads),
                          {{"qkv", qkv}, {"positions", positions}, {"table", table}});
        }
        const int32_t* places = static_cast<const int32_t*>(positions->data);
        LF_RETURN_IF_REFUSED(check_range("positions", host_integers(context, positions), qkv->dim[0], table->dim[0]));
        context->kernels->rope[qkv->dtype](context->runtime, qkv->data, places, static_cast<const float*>(table->data),
                                           qkv->dim[0], row_length(qkv) / d, rotated_heads, d, sign);
        return LF_OK;
    });
}

lf_status rope_forward(lf_context* context, const lf_tensor* qkv, const lf_tensor* positions, const lf_tensor* table,
                       int32_t rotated_heads) {
    return rotate(context, qkv, positions, table, rotated_heads, 1);
}

lf_status rope_backward(lf_context* context, const lf_tensor* d_qkv, const lf_tensor* positions, const lf_tensor* table,
                        int32_t rotated_heads) {
    return rotate(context, d_qkv, positions, table, rotated_heads, -1);
}

lf_status swiglu_forward(lf_context* context, const lf_tensor* y, const lf_tensor* gate_up) {
    return guarded([&] {
        const char* problem = !is_float(gate_up) || row_length(gate_up) % 2 != 0 ? "gateUp must be f32 or bf16 [T, 2·I]"
                              : !is_matrix(y, gate_up->dtype, gate_up->dim[0], row_length(gate_up) / 2)
                                  ? "y must be [T, I] of the dtype of gateUp"
                                  : nullptr;
        if (problem != nullptr) return refuse(problem, {{"y", y}, {"gateUp", gate_up}});
        context->kernels->swiglu_forward[y->dtype](context->runtime, y->data, gate_up->data, gate_up->dim[0],
                                                   row_length(gate_up) / 2);
        return LF_OK;
    });
}

lf_status swiglu_backward(lf_context* context, const lf_tensor* d_gate_up, const lf_tensor* dy, const lf_tensor* gate_up) {
    return guarded([&] {
        const char* problem = !is_float(gate_up) || row_length(gate_up) % 2 != 0 ? "gateUp must be f32 or bf16 [T, 2·I]"
                              : !is_matrix(d_gate_up, gate_up->dtype, gate_up->dim[0], row_length(gate_up))
                                  ? "dGateUp must have the shape and dtype of gateUp"
                              : !is_matrix(dy, gate_up->dtype, gate_up->dim[0], row_length(gate_up) / 2)
                                  ? "dy must be [T, I] of the dtype of gateUp"
                                  : nullptr;
        if (problem != nullptr) return refuse(problem, {{"dGateUp", d_gate_up}, {"dy", dy}, {"gateUp", gate_up}});
        context->kernels->swiglu_backward[gate_up->dtype](context->runtime, d_gate_up->data, dy->data, gate_up->data,
                                                          gate_up->dim[0], row_length(gate_up) / 2);
        return LF_OK;
    });
}

// The range, once y and z are found to be matrices that it fits.
lf_status column_range(ColumnRange& range, const lf_tensor* y, const lf_tensor* z, int64_t start) {
    const char* problem = !is_float(y) ? "y must be f32 or bf16 [T, N]"
                          : !is_float(z) || !is_matrix(z, y->dtype, y->dim[0], row_length(z))
                              ? "z must be [T, n] of the dtype of y"
                          : start < 0 || start > row_length(y) - row_length(z) ? "the columns must lie within y"
                                                                               : nullptr;
    if (problem != nullptr) return refuse(std::string(problem) + "; start " + std::to_string(start), {{"y", y}, {"z", z}});
    range = {y->dim[0], row_length(z), row_length(y), start};
    return LF_OK;
}

lf_status columns_take(lf_context* context, const lf_tensor* z, const lf_tensor* y, int64_t start, float scale) {
    return guarded([&] {
        ColumnRange range;
        LF_RETURN_IF_REFUSED(column_range(range, y, z, start));
        context->kernels->columns_take[y->dtype](context->runtime, z->data, y->data, range, scale);
        return LF_OK;
    });
}

lf_status columns_put(lf_context* context, const lf_tensor* y, const lf_tensor* z, int64_t start) {
    return guarded([&] {
        ColumnRange range;
        LF_RETURN_IF_REFUSED(column_range(range, y, z, start));
        context->kernels->columns_put[y->dtype](context->runtime, y->data, z->data, range);
        return LF_OK;
    });
}

lf_status columns_add(lf_context* context, const lf_tensor* y, const lf_tensor* z, int64_t start, float scale) {
    return guarded([&] {
        ColumnRange range;
        LF_RETURN_IF_REFUSED(column_range(range, y, z, start));
        context->kernels->columns_add[y->dtype](context->runtime, y->data, z->data, range, scale);
        return LF_OK;
    });
}

} // namespace

void add_layer_functions(lf_kernels& t) {
    t.embedding_forward = embedding_forward;
    t.embedding_backward = embedding_backward;
    t.linear_packed_bytes = linear_packed_bytes;
    t.linear_pack = linear_pack;
    t.linear_pack_rows = linear_pack_rows;
    t.linear_unpack = linear_unpack;
    t.linear_forward = linear_forward;
    t.linear_backward_input = linear_backward_input;
    t.linear_backward_weight = linear_backward_weight;
    t.rms_norm_forward = rms_norm_forward;
    t.rms_norm_add_forward = rms_norm_add_forward;
    t.rms_norm_backward = rms_norm_backward;
    t.rms_norm_add_backward = rms_norm_add_backward;
    t.rope_forward = rope_forward;
    t.rope_backward = rope_backward;
    t.swiglu_forward = swiglu_forward;
    t.swiglu_backward = swiglu_backward;
    t.columns_take = columns_take;
    t.columns_put = columns_put;
    t.columns_add = columns_add;
}

} // namespace luffy
