// Checks of PolicyLoss, Sampling and AdamW.
#include "api.h"

#include <cmath>

namespace luffy {

namespace {

int64_t policy_loss_scratch_bytes(lf_context* context, int64_t rows, int64_t hidden_size, int64_t vocabulary, int32_t dtype) {
    if (rows < 0 || hidden_size < 0 || vocabulary < 0 || (dtype != LF_F32 && dtype != LF_BF16))
        return -fail(LF_INVALID_ARGUMENT, "rows, hidden size and vocabulary must not be negative, and the dtype f32 or bf16");
    return context->kernels->policy_loss_scratch[dtype](rows, hidden_size, vocabulary);
}

const char* policy_problem(lf_context* context, const lf_tensor* statistics, const lf_tensor* hidden, const lf_tensor* head,
                           const lf_tensor* packed, const lf_tensor* targets, float temperature, const lf_tensor* scratch) {
    const int64_t rows = exists(targets) ? length(targets) : 0;
    if (!is_weight(head, packed) || length(head) == 0) return "head must be f32 or bf16 [V, H]";
    const int64_t v = head->dim[0], h = row_length(head);
    const Kernels& kernels = *context->kernels;
    return !is_matrix(hidden, head->dtype, rows, h)                    ? "hidden must be [R, H] of the dtype of head"
           : !is_vector(targets, LF_I32, rows)                         ? "targets must be i32 [R]"
           : !is_matrix(statistics, LF_F32, LF_TOKEN_STATISTICS, rows) ? "statistics must be f32 [8, R]"
           : exists(packed) && !is_bytes(packed, kernels.linear_packed_bytes[head->dtype](v, h))
               ? "packed must be u8 of the packed bytes of [V, H]"
           : !(temperature > 0) || std::isinf(temperature)                            ? "the temperature must be positive"
           : !is_bytes(scratch, kernels.policy_loss_scratch[head->dtype](rows, h, v)) ? "scratch is too small"
                                                                                      : nullptr;
}

PolicyArguments policy_arguments(const lf_tensor* statistics, const lf_tensor* hidden, const lf_tensor* head,
                                 const lf_tensor* packed, const lf_tensor* targets, const lf_tensor* scratch) {
    PolicyArguments a{};
    a.statistics = static_cast<float*>(statistics->data);
    a.hidden = hidden->data;
    a.head = head->data;
    a.packed = data_or_null(packed);
    a.targets = static_cast<const int32_t*>(targets->data);
    a.rows = length(targets);
    a.hidden_size = row_length(head);
    a.vocabulary = head->dim[0];
    a.scratch = static_cast<char*>(data_or_null(scratch));
    return a;
}

lf_status policy_loss_log_prob(lf_context* context, const lf_tensor* statistics, const lf_tensor* hidden, const lf_tensor* head,
                               const lf_tensor* packed_head, const lf_tensor* targets, float temperature,
                               const lf_tensor* scratch) {
    return guarded([&] {
        const char* problem = policy_problem(context, statistics, hidden, head, packed_head, targets, temperature, scratch);
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; temperature " + std::to_string(temperature), {{"statistics", statistics},
                                                                                                  {"hidden", hidden},
                                                                                                  {"head", head},
                                                                                                  {"packed", packed_head},
                                                                                                  {"targets", targets},
                                                                                                  {"scratch", scratch}});
        }
        PolicyArguments a = policy_arguments(statistics, hidden, head, packed_head, targets, scratch);
        LF_RETURN_IF_REFUSED(check_range("targets", host_integers(context, targets), a.rows, a.vocabulary));
        a.options.temperature = temperature;
        context->kernels->policy_loss[head->dtype](context->runtime, a);
        return LF_OK;
    });
}

lf_status policy_loss_forward_backward(lf_context* context, const lf_tensor* d_hidden, const lf_tensor* d_head,
                                       const lf_tensor* statistics, const lf_tensor* hidden, const lf_tensor* head,
                                       const lf_tensor* packed_head, const lf_policy_tokens* tokens,
                                       const lf_policy_options* options, const lf_tensor* scratch) {
    return guarded([&] {
        if (tokens == nullptr || options == nullptr) return fail(LF_INVALID_ARGUMENT, "tokens and options must not be null");
        const lf_policy_tokens& t = *tokens;
        const lf_policy_options& o = *options;
        const char* problem = policy_problem(context, statistics, hidden, head, packed_head, &t.targets, o.temperature, scratch);
        const int64_t rows = exists(&t.targets) ? length(&t.targets) : 0;
        if (problem == nullptr) {
            const auto optional = [&](const lf_tensor& x) { return !exists(&x) || is_vector(&x, LF_F32, rows); };
            problem = !is_matrix(d_hidden, hidden->dtype, rows, row_length(head))
                          ? "dHidden must have the shape and dtype of hidden"
                      : exists(d_head) && !is_matrix(d_head, LF_F32, head->dim[0], row_length(head)) ? "dHead must be f32 [V, H]"
                      : !is_vector(&t.advantages, LF_F32, rows)                  ? "advantages must be f32 [R]"
                      : !is_vector(&t.old_log_probs, LF_F32, rows)               ? "old log-probs must be f32 [R]"
                      : !is_vector(&t.off_policy, LF_I32, rows)                  ? "offPolicy must be i32 [R]"
                      : !is_vector(&t.weights, LF_F32, rows)                     ? "weights must be f32 [R]"
                      : !optional(t.behavior_log_probs)                          ? "behavior log-probs must be f32 [R]"
                      : !optional(t.reference_log_probs)                         ? "reference log-probs must be f32 [R]"
                      : o.kl_coefficient != 0 && !exists(&t.reference_log_probs) ? "a KL coefficient needs reference log-probs"
                      : o.off_shaping < LF_SHAPING_NONE || o.off_shaping > LF_SHAPING_MULTIPLE_IMPORTANCE
                          ? "no such shaping of off-policy tokens"
                      : o.behavior_shaping < LF_SHAPING_NONE || o.behavior_shaping > LF_SHAPING_PROB_TIMES_COMPLEMENT
                          ? "no such shaping of recorded tokens"
                      : (o.on_shaping < LF_SHAPING_NONE || o.on_shaping > LF_SHAPING_PROB_PLUS_LOG_PROB) &&
                              o.on_shaping != LF_SHAPING_CLIPPED_RATIO
                          ? "no such shaping of on-policy tokens"
                      : o.kl_estimator < 0 || o.kl_estimator > 2 ? "unknown KL estimator"
                                                                 : nullptr;
        }
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; temperature " + std::to_string(o.temperature),
                          {{"dHidden", d_hidden},
                           {"dHead", d_head},
                           {"statistics", statistics},
                           {"hidden", hidden},
                           {"head", head},
                           {"packed", packed_head},
                           {"targets", &t.targets},
                           {"advantages", &t.advantages},
                           {"oldLogProbs", &t.old_log_probs},
                           {"offPolicy", &t.off_policy},
                           {"weights", &t.weights},
                           {"behaviorLogProbs", &t.behavior_log_probs},
                           {"referenceLogProbs", &t.reference_log_probs},
                           {"scratch", scratch}});
        }
        PolicyArguments a = policy_arguments(statistics, hidden, head, packed_head, &t.targets, scratch);
        LF_RETURN_IF_REFUSED(check_range("targets", host_integers(context, &t.targets), rows, a.vocabulary));
        a.d_hidden = d_hidden->data;
        a.d_head = static_cast<float*>(data_or_null(d_head));
        a.advantages = static_cast<const float*>(t.advantages.data);
        a.old_log_probs = static_cast<const float*>(t.old_log_probs.data);
        a.off_policy = static_cast<const int32_t*>(t.off_policy.data);
        a.weights = static_cast<const float*>(t.weights.data);
        a.behavior_log_probs = static_cast<const float*>(t.behavior_log_probs.data);
        a.reference_log_probs = static_cast<const float*>(t.reference_log_probs.data);
        a.options = o;
        context->kernels->policy_loss[head->dtype](context->runtime, a);
        return LF_OK;
    });
}

int64_t sampling_scratch_bytes(lf_context* context, int64_t rows, int64_t vocabulary) {
    if (rows < 0 || vocabulary < 0) return -fail(LF_INVALID_ARGUMENT, "rows and vocabulary must not be negative");
    return context->kernels->sampling_scratch(context->runtime, rows, vocabulary);
}

lf_status sampling_sample(lf_context* context, const lf_tensor* ids, const lf_tensor* log_probs,
                          const lf_tensor* sampled_log_probs, const lf_tensor* logits, const lf_tensor* keys,
                          const lf_sampling_options* options, const lf_tensor* scratch) {
    return guarded([&] {
        if (options == nullptr) return fail(LF_INVALID_ARGUMENT, "options must not be null");
        const int64_t rows = exists(logits) ? logits->dim[0] : 0, v = exists(logits) ? row_length(logits) : 0;
        const char* problem =
            !is_of(logits, LF_F32) || v == 0                                        ? "logits must be f32 [S, V]"
            : !is_vector(ids, LF_I32, rows)                                         ? "ids must be i32 [S]"
            : !is_vector(log_probs, LF_F32, rows)                                   ? "logProbs must be f32 [S]"
            : !is_vector(sampled_log_probs, LF_F32, rows)                           ? "sampledLogProbs must be f32 [S]"
            : !is_of(keys, LF_I32) || keys->dim[0] != rows || row_length(keys) != 3 ? "keys must be i32 [S, 3]"
            : !(options->temperature >= 0) || std::isinf(options->temperature)      ? "the temperature must be 0 or more"
            : options->top_k < 0                                                    ? "top-k must be 0 or more"
            : !(options->top_p > 0 && options->top_p <= 1)                          ? "top-p must be in (0, 1]"
            : !(options->min_p >= 0 && options->min_p <= 1)                         ? "min-p must be in [0, 1]"
            : !is_bytes(scratch, context->kernels->sampling_scratch(context->runtime, rows, v)) ? "scratch is too small"
                                                                                                : nullptr;
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; temperature " + std::to_string(options->temperature) + ", top-k " +
                              std::to_string(options->top_k) + ", top-p " + std::to_string(options->top_p) + ", min-p " +
                              std::to_string(options->min_p),
                          {{"ids", ids},
                           {"logProbs", log_probs},
                           {"sampledLogProbs", sampled_log_probs},
                           {"logits", logits},
                           {"keys", keys},
                           {"scratch", scratch}});
        }
        context->kernels->sample(context->runtime, static_cast<int32_t*>(ids->data), static_cast<float*>(log_probs->data),
                                 static_cast<float*>(sampled_log_probs->data), static_cast<const float*>(logits->data),
                                 static_cast<const int32_t*>(keys->data), rows, v, *options, static_cast<char*>(scratch->data));
        return LF_OK;
    });
}

lf_status adamw_update(lf_context* context, const lf_tensor* weights, const lf_tensor* remainders, const lf_tensor* m,
                       const lf_tensor* v, const lf_tensor* gradient, const lf_adamw_options* options) {
    return guarded([&] {
        if (options == nullptr) return fail(LF_INVALID_ARGUMENT, "options must not be null");
        const lf_adamw_options& o = *options;
        const int64_t n = exists(gradient) ? length(gradient) : 0;
        const bool packed = is_of(weights, LF_U8);
        // Nothing but the remainders tells what a packed form holds.
        const int32_t dtype = exists(remainders) ? LF_BF16 : LF_F32, moments = is_of(m, LF_BF16) ? LF_BF16 : LF_F32;
        const char* problem =
            !is_float(gradient) ? "gradient must be f32 or bf16"
            : packed && !is_bytes(weights, context->kernels->linear_packed_bytes[dtype](gradient->dim[0], row_length(gradient)))
                ? "weights must be u8 of the packed bytes of the gradient's [N, K]"
            : !packed && (!is_float(weights) || length(weights) != n) ? "weights must be f32 or bf16 [n], or packed"
            : !packed && weights->dtype != dtype                      ? "bf16 weights have remainders, f32 weights have none"
            : exists(remainders) && !(is_of(remainders, LF_U8) && length(remainders) == 2 * n) ? "remainders must be u8 [2n]"
            : moments == LF_BF16 && dtype != LF_BF16 ? "bf16 moments are for bf16 weights and their remainders"
            : !is_vector(m, moments, n)              ? "m must be f32 or bf16 [n]"
            : !is_vector(v, moments, n)              ? "v must be [n] of the dtype of m"
            : o.step < 1                             ? "the first step is 1"
                                                     : nullptr;
        if (problem != nullptr) {
            return refuse(std::string(problem) + "; step " + std::to_string(o.step),
                          {{"weights", weights}, {"remainders", remainders}, {"m", m}, {"v", v}, {"gradient", gradient}});
        }
        const double step = static_cast<double>(o.step);
        const AdamWCoefficients c{o.learning_rate,
                                  o.beta1,
                                  1 - o.beta1,
                                  o.beta2,
                                  1 - o.beta2,
                                  o.epsilon,
                                  o.weight_decay,
                                  o.gradient_scale,
                                  static_cast<float>(1 / (1 - std::pow(static_cast<double>(o.beta1), step))),
                                  static_cast<float>(1 / (1 - std::pow(static_cast<double>(o.beta2), step))),
                                  o.step,
                                  o.rounding_key};
        const AdamWArguments a{weights->data,
                               packed,
                               static_cast<int16_t*>(data_or_null(remainders)),
                               m->data,
                               v->data,
                               gradient->data,
                               packed ? gradient->dim[0] : 1,
                               packed ? row_length(gradient) : n};
        const Kernels& kernels = *context->kernels;
        (moments == LF_BF16 ? kernels.adamw_update_rounded[gradient->dtype]
                            : kernels.adamw_update[dtype][gradient->dtype])(context->runtime, a, c);
        return LF_OK;
    });
}

int64_t squared_norm_scratch_bytes(lf_context* context, int64_t n) {
    if (n < 0) return -fail(LF_INVALID_ARGUMENT, "n must not be negative");
    return context->kernels->squared_norm_scratch(n);
}

lf_status squared_norm(lf_context* context, const lf_tensor* result, const lf_tensor* x, const lf_tensor* scratch) {
    return guarded([&] {
        const int64_t n = exists(x) ? length(x) : 0;
        const char* problem = !is_vector(result, LF_F32, 1)                                   ? "result must be f32 [1]"
                              : !is_float(x)                                                  ? "x must be f32 or bf16"
                              : !is_bytes(scratch, context->kernels->squared_norm_scratch(n)) ? "scratch is too small"
                                                                                              : nullptr;
        if (problem != nullptr) return refuse(problem, {{"result", result}, {"x", x}, {"scratch", scratch}});
        context->kernels->squared_norm[x->dtype](context->runtime, static_cast<float*>(result->data), x->data, n,
                                                 static_cast<double*>(data_or_null(scratch)));
        return LF_OK;
    });
}

} // namespace

void add_training_functions(lf_kernels& t) {
    t.policy_loss_scratch_bytes = policy_loss_scratch_bytes;
    t.policy_loss_log_prob = policy_loss_log_prob;
    t.policy_loss_forward_backward = policy_loss_forward_backward;
    t.sampling_scratch_bytes = sampling_scratch_bytes;
    t.sampling_sample = sampling_sample;
    t.adamw_update = adamw_update;
    t.adamw_squared_norm_scratch_bytes = squared_norm_scratch_bytes;
    t.adamw_squared_norm = squared_norm;
}

} // namespace luffy
