#include "support.h"

#include "../../common/policy_objective.h"

namespace test {

namespace {

void check(int32_t dtype, int64_t rows, int64_t h, int64_t v, const lf_policy_options& o, bool recorded) {
    const std::string what = "policy loss " + std::to_string(rows) + "x" + std::to_string(h) + "x" + std::to_string(v) +
                             name(dtype) + " shaping " + std::to_string(o.off_shaping) + "/" + std::to_string(o.on_shaping);
    Random random(static_cast<uint64_t>(rows * 31 + v + o.off_shaping));
    const Tensor hidden = random.tensor(dtype, {rows, h}), head = random.tensor(dtype, {v, h}, 0.4);
    lf_policy_tokens tokens{};
    Tensor targets(LF_I32, {rows}), off(LF_I32, {rows}), advantages = random.tensor(LF_F32, {rows}), old(LF_F32, {rows});
    Tensor weights = random.tensor(LF_F32, {rows}), behavior(LF_F32, {rows}), reference(LF_F32, {rows});
    for (int64_t r = 0; r < rows; r++) {
        targets.set(r, static_cast<double>(random.below(v)));
        off.set(r, static_cast<double>(random.below(2)));
        weights.set(r, r % 5 == 4 || (r >= 128 && r < 256) ? 0 : 0.01 + std::fabs(weights.at(r)));
        old.set(r, r % 3 == 0 ? NAN : -3 + random.next());
        behavior.set(r, r % 2 == 0 ? NAN : -1 + 0.5 * random.next());
        reference.set(r, -4 + random.next());
    }
    tokens.targets = targets.view;
    tokens.advantages = advantages.view;
    tokens.old_log_probs = old.view;
    tokens.off_policy = off.view;
    tokens.weights = weights.view;
    if (recorded) tokens.behavior_log_probs = behavior.view;
    if (o.kl_coefficient != 0) tokens.reference_log_probs = reference.view;

    Tensor dhidden(dtype, {rows, h}), dhead = random.tensor(LF_F32, {v, h}), statistics(LF_F32, {LF_TOKEN_STATISTICS, rows});
    std::vector<double> expected_dhead, expected_dhidden(static_cast<size_t>(rows * h)),
        expected_statistics(static_cast<size_t>(8 * rows));
    for (int64_t i = 0; i < dhead.count; i++) expected_dhead.push_back(dhead.at(i));
    for (int64_t r = 0; r < rows; r++) {
        std::vector<double> z;
        double top = -1e300, sum = 0, entropy = 0;
        for (int64_t i = 0; i < v; i++) {
            double x = 0;
            for (int64_t k = 0; k < h; k++) x += hidden.at(r * h + k) * head.at(i * h + k);
            z.push_back(x / static_cast<double>(o.temperature));
            top = std::fmax(top, z.back());
        }
        for (double x : z) sum += std::exp(x - top);
        const double lse = top + std::log(sum), log_prob = z[static_cast<size_t>(targets.i32()[r])] - lse;
        for (double x : z) entropy -= std::exp(x - lse) * (x - lse);
        const lf_token_objective t =
            lf_policy_objective(log_prob, old.at(r), advantages.at(r), off.i32()[r], recorded ? behavior.at(r) : NAN, &o);
        double kl = 0, kl_gradient = 0;
        if (o.kl_coefficient != 0) kl = lf_token_kl(log_prob, reference.at(r), o.kl_estimator, &kl_gradient);
        const double values[] = {log_prob, entropy, lse, t.loss, t.weight, t.gradient, kl, static_cast<double>(t.clipped)};
        for (int64_t i = 0; i < 8; i++) expected_statistics[static_cast<size_t>(i * rows + r)] = values[i];
        const double g = t.gradient + static_cast<double>(o.kl_coefficient) * kl_gradient;
        for (int64_t i = 0; i < v; i++) {
            const double lp = z[static_cast<size_t>(i)] - lse, p = std::exp(lp);
            const double dz =
                weights.at(r) / static_cast<double>(o.temperature) *
                (g * ((i == targets.i32()[r] ? 1 : 0) - p) + static_cast<double>(o.entropy_coefficient) * p * (lp + entropy));
            for (int64_t k = 0; k < h; k++) {
                expected_dhidden[static_cast<size_t>(r * h + k)] += dz * head.at(i * h + k);
                expected_dhead[static_cast<size_t>(i * h + k)] += dz * hidden.at(r * h + k);
            }
        }
    }
    Tensor packed(LF_U8, {table->linear_packed_bytes(context, v, h, dtype)});
    Tensor scratch(LF_U8, {table->policy_loss_scratch_bytes(context, rows, h, v, dtype)});
    ok(table->linear_pack(context, packed, head), what);
    ok(table->policy_loss_forward_backward(context, dhidden, dhead, statistics, hidden, head, packed, &tokens, &o, scratch),
       what);
    if (!scratch.guard_intact()) fail(what + ": wrote beyond its scratch");
    all_near(statistics, expected_statistics, 2e-4, what + " statistics");
    all_near(dhidden, expected_dhidden, dtype == LF_F32 ? 1e-4 : 2e-2, what + " dHidden");
    all_near(dhead, expected_dhead, dtype == LF_F32 ? 1e-4 : 2e-2, what + " dHead");

    // Log-probs alone, of a single row, and those that sampling records: the same bits.
    Tensor alone(LF_F32, {LF_TOKEN_STATISTICS, 1});
    for (int64_t r = 0; r < rows; r += 1 + rows / 4) {
        lf_tensor row = hidden.view, target = targets.view;
        row.data = const_cast<uint8_t*>(hidden.bytes.data()) + r * h * hidden.size();
        target.data = targets.i32() + r;
        row.dim[0] = target.dim[0] = 1;
        ok(table->policy_loss_log_prob(context, alone, &row, head, nullptr, &target, o.temperature, scratch), what);
        same_bits(alone.f32(), statistics.f32() + r, 4, what + " log-prob alone");
        same_bits(alone.f32() + 2, statistics.f32() + 2 * rows + r, 4, what + " log-sum-exp alone");
    }
    Tensor logits(LF_F32, {rows, v}), ids(LF_I32, {rows}), log_probs(LF_F32, {rows}), sampled(LF_F32, {rows}),
        keys(LF_I32, {rows, 3});
    for (int64_t r = 0; r < rows; r++) keys.set(3 * r, static_cast<double>(r));
    Tensor sampling_scratch(LF_U8, {table->sampling_scratch_bytes(context, rows, v)});
    const lf_sampling_options sampling{o.temperature, 0, 1, 0, 12345};
    ok(table->linear_forward(context, logits, hidden, head, packed, nullptr), what);
    ok(table->sampling_sample(context, ids, log_probs, sampled, logits, keys, &sampling, sampling_scratch), what);
    Tensor again(LF_F32, {LF_TOKEN_STATISTICS, rows});
    ok(table->policy_loss_log_prob(context, again, hidden, head, packed, ids, o.temperature, scratch), what);
    same_bits(again.f32(), log_probs.f32(), rows * 4, what + " sampled log-probs");
    same_bits(sampled.f32(), log_probs.f32(), rows * 4, what + " log-probs of an unfiltered draw");
}

} // namespace

void policy() {
    lf_policy_options o{};
    o.temperature = 1;
    o.off_gamma = o.on_gamma = 0.1f;
    o.off_exponent = o.on_exponent = 0.3f;
    o.off_log_prob_weight = o.on_log_prob_weight = 0.5f;
    o.off_uniform = 0.4f;
    o.behavior_gamma = 0.2f;
    o.off_min_weight = -INFINITY;
    o.off_max_weight = INFINITY;
    o.max_probability = INFINITY;
    o.epsilon = o.epsilon_high = 0.2f;
    for (int32_t dtype : {LF_F32, LF_BF16}) {
        for (int32_t shaping = LF_SHAPING_NONE; shaping <= LF_SHAPING_MULTIPLE_IMPORTANCE; shaping++) {
            o.off_shaping = shaping;
            o.behavior_shaping = shaping <= LF_SHAPING_PROB_TIMES_COMPLEMENT ? shaping : LF_SHAPING_NONE;
            o.on_shaping =
                shaping <= LF_SHAPING_PROB_PLUS_LOG_PROB ? LF_SHAPING_PROB_PLUS_LOG_PROB - shaping : LF_SHAPING_CLIPPED_RATIO;
            check(dtype, 37, 19, 67, o, false);
            check(dtype, 37, 19, 67, o, true);
        }
        lf_policy_options all = o;
        all.off_shaping = LF_SHAPING_REGULARIZED;
        all.on_shaping = LF_SHAPING_NONE;
        all.temperature = 0.7f;
        all.clip = 1;
        all.off_max_weight = 0.9f;
        all.off_min_weight = 0.01f;
        all.entropy_coefficient = 0.05f;
        all.kl_coefficient = 0.1f;
        for (int32_t estimator = 0; estimator < 3; estimator++) {
            all.kl_estimator = estimator;
            check(dtype, 13, 33, 300, all, true);
        }
        check(dtype, 70, 24, 2600, all, true);
        check(dtype, 1100, 16, 40, all, false);
        check(dtype, 530, 5, 9000, all, false); // several chunks of rows, and spans of the vocabulary
        // A tenth of what the logits would take, and memory for many rows serves fewer.
        const int64_t v = 151936;
        const auto bytes = [&](int64_t rows) { return table->policy_loss_scratch_bytes(context, rows, 896, v, dtype); };
        if (bytes(2048) > 2048 * v * 4 / 10) fail("policy loss scratch: " + std::to_string(bytes(2048)) + " bytes");
        for (int64_t rows = 1; rows <= 2048; rows++) {
            if (bytes(rows) < bytes(rows - 1)) fail("policy loss scratch shrinks at " + std::to_string(rows) + " rows");
        }
    }
}

} // namespace test
