// luffy_cpu_counts: one call of some kernels each, on one thread with AVX2, which valgrind knows. eng/check-instructions.sh has
// callgrind count what `measured` executes, call by call, and divides by the units of work printed here.
#include "support.h"

#include <functional>

namespace test {
const lf_kernels* table = nullptr;
lf_context* context = nullptr;
int failures = 0;
} // namespace test

// Named by the script.
extern "C" __attribute__((noinline)) void measured(const std::function<lf_status()>& call) { test::ok(call(), "measured call"); }

namespace {

using namespace test;

void count(const std::string& name, int64_t units, const std::function<lf_status()>& call) {
    measured(call);
    std::printf("%s|%lld\n", name.c_str(), static_cast<long long>(units));
}

void products(int32_t dtype) {
    Random random(1);
    const int64_t t = 96, n = 256, k = 256;
    const Tensor x = random.tensor(dtype, {t, k}), w = random.tensor(dtype, {n, k}), y = random.tensor(dtype, {t, n});
    const Tensor packed(LF_U8, {table->linear_packed_bytes(context, n, k, dtype)}), dw(LF_F32, {n, k}), dx(dtype, {t, k});
    ok(table->linear_pack(context, packed, w), "pack");
    count(std::string("linear backward input") + name(dtype), t * n * k,
          [&] { return table->linear_backward_input(context, dx, y, w, packed); });
    count(std::string("linear backward weight") + name(dtype), t * n * k,
          [&] { return table->linear_backward_weight(context, dw, nullptr, y, x); });
    count(std::string("linear forward") + name(dtype), t * n * k,
          [&] { return table->linear_forward(context, y, x, w, packed, nullptr); });
    lf_tensor one_x = x.view, one_y = y.view;
    one_x.dim[0] = one_y.dim[0] = 1;
    count(std::string("linear forward of one row") + name(dtype), n * k,
          [&] { return table->linear_forward(context, &one_y, &one_x, w, packed, nullptr); });
}

void attended(int32_t dtype) {
    Random random(2);
    const int64_t length = 128, heads = 4, kv_heads = 2, d = 32;
    const lf_attention_shape shape{heads, kv_heads, d, 0.18f};
    const Tensor qkv = random.tensor(dtype, {length, heads + 2 * kv_heads, d}), y(dtype, {length, heads, d});
    const Tensor lse(LF_F32, {length, heads}), dy = random.tensor(dtype, {length, heads, d}),
                                               d_qkv(dtype, {length, heads + 2 * kv_heads, d});
    Tensor starts(LF_I32, {2});
    starts.set(1, length);
    const Tensor scratch(LF_U8, {table->attention_backward_scratch_bytes(context, length, length, &shape, dtype)});
    // Two products of the causal half forward, five backward.
    const int64_t product = length * (length + 1) / 2 * heads * d;
    count(std::string("attention forward") + name(dtype), 2 * product,
          [&] { return table->attention_forward(context, y, lse, qkv, starts, &shape); });
    count(std::string("attention backward") + name(dtype), 5 * product,
          [&] { return table->attention_backward(context, d_qkv, dy, y, lse, qkv, starts, &shape, scratch); });
}

void losses(int32_t dtype) {
    Random random(3);
    const int64_t rows = 48, h = 128, v = 2048;
    const Tensor hidden = random.tensor(dtype, {rows, h}), head = random.tensor(dtype, {v, h}), d_hidden(dtype, {rows, h});
    const Tensor d_head(LF_F32, {v, h}), statistics(LF_F32, {LF_TOKEN_STATISTICS, rows});
    const Tensor packed(LF_U8, {table->linear_packed_bytes(context, v, h, dtype)});
    const Tensor scratch(LF_U8, {table->policy_loss_scratch_bytes(context, rows, h, v, dtype)});
    Tensor targets(LF_I32, {rows}), off(LF_I32, {rows});
    const Tensor advantages = random.tensor(LF_F32, {rows}), weights = random.tensor(LF_F32, {rows});
    Tensor old(LF_F32, {rows});
    for (int64_t i = 0; i < rows; i++) {
        targets.set(i, static_cast<double>(random.below(v)));
        off.set(i, i % 8 == 0 ? 1 : 0);
        old.set(i, NAN);
    }
    lf_policy_tokens tokens{};
    tokens.targets = targets.view;
    tokens.advantages = advantages.view;
    tokens.old_log_probs = old.view;
    tokens.off_policy = off.view;
    tokens.weights = weights.view;
    lf_policy_options options{};
    options.temperature = 1;
    options.off_shaping = LF_SHAPING_REGULARIZED;
    options.off_gamma = 0.1f;
    options.off_min_weight = -INFINITY;
    options.off_max_weight = options.max_probability = INFINITY;
    options.entropy_coefficient = 0.001f;
    ok(table->linear_pack(context, packed, head), "pack");
    count(std::string("policy loss forward and backward") + name(dtype), 3 * rows * h * v, [&] {
        return table->policy_loss_forward_backward(context, d_hidden, d_head, statistics, hidden, head, packed, &tokens, &options,
                                                   scratch);
    });
}

void elementwise(int32_t dtype) {
    Random random(4);
    const int64_t t = 64, h = 512;
    const Tensor x = random.tensor(dtype, {t, h}), delta = random.tensor(dtype, {t, h}), w = random.tensor(dtype, {h});
    const Tensor y(dtype, {t, h}), sum(dtype, {t, h}), rstd(LF_F32, {t});
    count(std::string("rms norm add forward") + name(dtype), t * h,
          [&] { return table->rms_norm_add_forward(context, y, sum, rstd, x, delta, w, 1e-6f); });
    const Tensor gate_up = random.tensor(dtype, {t, 2 * h});
    count(std::string("swiglu forward") + name(dtype), t * h, [&] { return table->swiglu_forward(context, y, gate_up); });
}

void draws() {
    Random random(5);
    const int64_t rows = 4, v = 16384;
    const Tensor logits = random.tensor(LF_F32, {rows, v}, 4), ids(LF_I32, {rows}), log_probs(LF_F32, {rows}),
                 sampled(LF_F32, {rows});
    const Tensor keys(LF_I32, {rows, 3}), scratch(LF_U8, {table->sampling_scratch_bytes(context, rows, v)});
    const lf_sampling_options all{1, 0, 1, 0, 1}, nucleus{1, 50, 0.95f, 0, 1};
    count("sampling all", rows * v,
          [&] { return table->sampling_sample(context, ids, log_probs, sampled, logits, keys, &all, scratch); });
    count("sampling top-k top-p", rows * v,
          [&] { return table->sampling_sample(context, ids, log_probs, sampled, logits, keys, &nucleus, scratch); });
}

} // namespace

int main() {
    table = luffy_kernels(LF_ABI_VERSION);
    lf_context_options options{};
    options.threads = 1;
    options.isa = "avx2";
    if (table->create(&context, &options) != LF_OK) {
        std::printf("skipped: %s\n", table->last_error());
        return 77;
    }
    for (int32_t dtype : {LF_F32, LF_BF16}) {
        products(dtype);
        attended(dtype);
        losses(dtype);
        elementwise(dtype);
    }
    draws();
    table->destroy(context);
    return failures == 0 ? 0 : 1;
}
