/* The mixed-policy objective of one token, shared by the native backends (C99, and device code where LF_INLINE says so).
 *
 * Yan et al., "Learning to Reason under Off-Policy Guidance" (arXiv 2504.14945, sections 3.2 and 3.3); PPO's clip from arXiv
 * 1707.06347 with DAPO's upper epsilon, arXiv 2503.14476. In f64, like the reference: src/Luffy.Kernels/Ops/PolicyObjective.cs.
 * Only the branch of the token's kind is computed, so the other cannot overflow into a NaN.
 */
#ifndef LUFFY_POLICY_OBJECTIVE_H
#define LUFFY_POLICY_OBJECTIVE_H

#include "../include/luffy_kernels.h"
#include <math.h>

#ifndef LF_INLINE
#define LF_INLINE static inline
#endif

/* Values of the statistic `clipped`. */
enum { LF_CLIP_NONE = 0, LF_CLIP_RATIO = 1, LF_CLIP_UPPER_BOUND = 2, LF_CLIP_LOWER_BOUND = 3, LF_CLIP_TOO_PROBABLE = 4 };

typedef struct lf_token_objective {
    double loss;     /* -A w, or its clipped form, before the token's weight */
    double weight;   /* w, after its bounds */
    double gradient; /* d loss / d ln p */
    int32_t clipped;
} lf_token_objective;

/* w(x) and dw / d ln x of the shapings that are the same function of x = p, of x = p / q and of x = ratio. */
LF_INLINE void lf_shape(double log_x, int32_t shaping, double gamma, double exponent, double log_prob_weight, double* weight,
                        double* slope) {
    if (shaping == LF_SHAPING_SQUARE_ROOT || shaping == LF_SHAPING_POWER) {
        const double e = shaping == LF_SHAPING_POWER ? exponent : 0.5;
        *weight = exp(e * log_x);
        *slope = e * *weight;
    } else if (shaping == LF_SHAPING_LOG_PROB) {
        *weight = log_prob_weight * log_x;
        *slope = log_prob_weight;
    } else if (shaping == LF_SHAPING_TRUST_REGION) {
        /* min(1, x / gamma), integrated: TRAPO, arXiv 2512.17636. */
        const double log_share = log_x - log(gamma);
        *slope = log_share < 0 ? exp(log_share) : 1;
        *weight = log_share < 0 ? *slope : 1 + log_share;
    } else {
        const double x = exp(log_x);
        *weight = *slope = x;
        if (shaping == LF_SHAPING_REGULARIZED) {
            *weight = x / (x + gamma);
            *slope = gamma * x / ((x + gamma) * (x + gamma));
        } else if (shaping == LF_SHAPING_PROB_TIMES_COMPLEMENT) {
            /* x (1 - x), integrated: CHORD, arXiv 2508.11408. */
            *weight = x - x * x / 2;
            *slope = x * (1 - x);
        } else if (shaping == LF_SHAPING_PROB_PLUS_LOG_PROB) {
            *weight += log_prob_weight * log_x;
            *slope += log_prob_weight;
        }
    }
}

/* RL-PLUS, arXiv 2508.00222: 2 p / (p_old + (p_old + U) / 2) (1 - p)^e, integrated. The old probability is a constant. */
LF_INLINE void lf_multiple_importance(double log_prob, double old_log_prob, const lf_policy_options* o, double* weight,
                                      double* slope) {
    const double p = exp(log_prob), old = exp(old_log_prob), e = o->off_exponent;
    const double rest = p < 1 ? 1 - p : 0, power = rest > 0 ? exp(e * log(rest)) : 0;
    const double scale = 2 / (old + (old + (double)o->off_uniform) / 2);
    *weight = scale * (1 - rest * power) / (e + 1);
    *slope = scale * p * power;
}

/* A demonstration's token: the shaping of p, or of p / q where the q of who wrote it is recorded (behavior_log_prob not NaN). */
LF_INLINE lf_token_objective lf_off_policy_weight(double log_prob, double old_log_prob, double behavior_log_prob,
                                                  const lf_policy_options* o) {
    lf_token_objective t = {0, 0, 0, LF_CLIP_NONE};
    if (!isnan(behavior_log_prob)) {
        lf_shape(log_prob - log(exp(behavior_log_prob) + 1e-6), o->behavior_shaping, o->behavior_gamma, o->off_exponent,
                 o->off_log_prob_weight, &t.weight, &t.gradient);
    } else if (o->off_shaping == LF_SHAPING_MULTIPLE_IMPORTANCE) {
        lf_multiple_importance(log_prob, isnan(old_log_prob) ? log_prob : old_log_prob, o, &t.weight, &t.gradient);
    } else {
        lf_shape(log_prob, o->off_shaping, o->off_gamma, o->off_exponent, o->off_log_prob_weight, &t.weight, &t.gradient);
    }
    if (t.weight > o->off_max_weight) {
        t.weight = o->off_max_weight;
        t.gradient = 0;
        t.clipped = LF_CLIP_UPPER_BOUND;
    } else if (t.weight < o->off_min_weight) {
        t.weight = o->off_min_weight;
        t.gradient = 0;
        t.clipped = LF_CLIP_LOWER_BOUND;
    }
    return t;
}

/* A sampled token: the shaping of p / p_old; an old log-prob of NaN stands for the present one as a constant. */
LF_INLINE lf_token_objective lf_on_policy_weight(double log_prob, double old_log_prob, const lf_policy_options* o) {
    lf_token_objective t = {0, 0, 0, LF_CLIP_NONE};
    const double old = isnan(old_log_prob) ? log_prob : old_log_prob;
    if (o->on_shaping == LF_SHAPING_REGULARIZED) {
        /* f(p) / f(p_old) with f(p) = p / (p + gamma), written so that two tiny probabilities do not become 0 / 0. */
        const double gamma = o->on_gamma, p = exp(log_prob);
        t.weight = exp(log_prob - old) * (exp(old) + gamma) / (p + gamma);
        t.gradient = t.weight * gamma / (p + gamma);
    } else if (o->on_shaping == LF_SHAPING_CLIPPED_RATIO) {
        /* The ratio within its bounds, integrated: CISPO, arXiv 2506.13585. */
        const double log_ratio = log_prob - old, ratio = exp(log_ratio);
        const double low = 1 - (double)o->epsilon, high = 1 + (double)o->epsilon_high;
        if (ratio > high || ratio < low) {
            t.clipped = ratio > high ? LF_CLIP_UPPER_BOUND : LF_CLIP_LOWER_BOUND;
            t.gradient = ratio > high ? high : low;
            t.weight = t.gradient * (1 + log_ratio - log(t.gradient));
        } else {
            t.weight = t.gradient = ratio;
        }
    } else {
        lf_shape(log_prob - old, o->on_shaping, o->on_gamma, o->on_exponent, o->on_log_prob_weight, &t.weight, &t.gradient);
    }
    return t;
}

/* The policy term. With advantage 0 it is exactly 0, however large the weight. */
LF_INLINE lf_token_objective lf_policy_objective(double log_prob, double old_log_prob, double advantage, int32_t off_policy,
                                                 double behavior_log_prob, const lf_policy_options* o) {
    lf_token_objective t = off_policy ? lf_off_policy_weight(log_prob, old_log_prob, behavior_log_prob, o)
                                      : lf_on_policy_weight(log_prob, old_log_prob, o);
    const double slope = t.gradient;
    t.gradient = 0;
    if (o->max_probability < 1 && exp(log_prob) > o->max_probability) {
        t.clipped = LF_CLIP_TOO_PROBABLE;
        return t;
    }
    if (advantage == 0) return t;
    t.loss = -advantage * t.weight;
    if (slope != 0) t.gradient = -advantage * slope;
    if (!off_policy && o->clip) {
        const double low = 1 - (double)o->epsilon, high = 1 + (double)o->epsilon_high;
        const double clipped = -advantage * (t.weight < low ? low : t.weight > high ? high : t.weight);
        if (clipped > t.loss) {
            t.loss = clipped;
            t.gradient = 0;
            t.clipped = LF_CLIP_RATIO;
        }
    }
    return t;
}

/* KL(p || p_ref) of one token and its derivative by ln p, with r = ln p_ref - ln p (Schulman, "Approximating KL divergence",
 * 2020). */
LF_INLINE double lf_token_kl(double log_prob, double reference_log_prob, int32_t estimator, double* gradient) {
    const double r = reference_log_prob - log_prob;
    if (estimator == 0) {
        *gradient = 1;
        return -r;
    }
    if (estimator == 1) {
        *gradient = -r;
        return r * r / 2;
    }
    *gradient = 1 - exp(r);
    return exp(r) - r - 1;
}

#endif
