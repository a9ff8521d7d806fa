#include "kernels.h"

#include "../common/policy_objective.h"

namespace luffy {

void evaluate_policy_tokens(const PolicyArguments& a, float* gradients, int64_t first, int64_t last) {
    const lf_policy_options& o = a.options;
    for (int64_t r = first; r < last; r++) {
        const auto statistic = [&](int which) -> float& { return a.statistics[which * a.rows + r]; };
        const double log_prob = statistic(0);
        const double behavior = a.behavior_log_probs == nullptr ? NAN : static_cast<double>(a.behavior_log_probs[r]);
        const lf_token_objective term =
            lf_policy_objective(log_prob, a.old_log_probs[r], a.advantages[r], a.off_policy[r], behavior, &o);
        double kl = 0, kl_gradient = 0;
        if (a.reference_log_probs != nullptr) kl = lf_token_kl(log_prob, a.reference_log_probs[r], o.kl_estimator, &kl_gradient);
        statistic(3) = static_cast<float>(term.loss);
        statistic(4) = static_cast<float>(term.weight);
        statistic(5) = static_cast<float>(term.gradient);
        statistic(6) = static_cast<float>(kl);
        statistic(7) = static_cast<float>(term.clipped);
        gradients[r - first] = static_cast<float>(
            term.gradient + (o.kl_coefficient == 0 ? 0.0 : static_cast<double>(o.kl_coefficient) * kl_gradient));
    }
}

} // namespace luffy
