namespace Luffy.Kernels.Tests;

/// <summary>The objective of one token: weights at known probabilities, derivatives, and the corners where naive code makes a NaN.</summary>
public sealed class PolicyObjectiveTests
{
    private const double NoTeacher = double.NaN;

    [TestCase(PolicyShaping.None, 0.04), TestCase(PolicyShaping.Regularized, 0.04 / 0.14), TestCase(PolicyShaping.SquareRoot, 0.2)]
    [TestCase(PolicyShaping.Power, 0.38073)]
    [TestCase(PolicyShaping.LogProb, 2 * -3.2188758248682006), TestCase(PolicyShaping.ProbPlusLogProb, 0.04 + (2 * -3.2188758248682006))]
    public void Off_policy_weight_at_p_004(PolicyShaping shaping, double expected)
    {
        PolicyLossOptions options = new()
        {
            OffPolicyShaping = shaping, OffPolicyExponent = .3f, OffPolicyLogProbWeight = 2, OnPolicyGamma = .7f, OnPolicyExponent = .9f,
        };
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(.04), double.NaN, -3, true, NoTeacher, options);
        Assert.That(term.Weight, Is.EqualTo(expected).Within(1e-5));
        Assert.That(term.Loss, Is.EqualTo(3 * expected).Within(3e-5));
    }

    [TestCase(.04, .4, .4), TestCase(.1, 1, 1), TestCase(.25, 1.916290731874155, 1)]
    public void Trust_region_imitates_what_is_probable_and_damps_the_rest(double p, double weight, double gradient)
    {
        // γ = .1: p/γ = .4 at p = .04, and 1 + ln 2.5 with the gradient of plain imitation at p = .25.
        PolicyLossOptions options = new() { OffPolicyShaping = PolicyShaping.TrustRegion, OffPolicyGamma = .1f };
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(p), double.NaN, 1, true, NoTeacher, options);
        Assert.That(term.Weight, Is.EqualTo(weight).Within(1e-6));
        Assert.That(term.Gradient, Is.EqualTo(-gradient).Within(1e-6));
    }

    [TestCase(.1, .095, .09), TestCase(.5, .375, .25), TestCase(1, .5, 0)]
    public void P_times_its_complement_is_largest_where_the_policy_is_undecided(double p, double weight, double gradient)
    {
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(p), double.NaN, 1, true, NoTeacher, new() { OffPolicyShaping = PolicyShaping.ProbTimesComplement });
        Assert.That(term.Weight, Is.EqualTo(weight).Within(1e-12));
        Assert.That(term.Gradient, Is.EqualTo(-gradient).Within(1e-12));
    }

    // p = .36, so that (1 − p)^½ = .8 and its cube .512. With p_old = .2 and U = 1: D = .2 + .6 = .8, gradient .72/.8 · .8, weight 2(1 − .512)/(1.5 · .8).
    // Without p_old: D = .36 + .68 = 1.04. With U = .1: D = .2 + .15 = .35. At p = 1 nothing is left to explore: 2/(1.5·D), D = 1 + 1.
    [TestCase(.36, .2, 1f, .72, .8133333333333334), TestCase(.36, double.NaN, 1f, .5538461538461539, .6256410256410256)]
    [TestCase(.36, .2, .1f, 1.6457142857142857, 1.8590476190476191), TestCase(1, double.NaN, 1f, 0, .6666666666666666)]
    public void Multiple_importance_divides_by_the_mixture_and_favours_the_improbable(double p, double old, float uniform, double gradient, double weight)
    {
        PolicyLossOptions options = new() { OffPolicyShaping = PolicyShaping.MultipleImportance, OffPolicyUniform = uniform };
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(p), Math.Log(old), 1, true, NoTeacher, options);
        Assert.That(term.Weight, Is.EqualTo(weight).Within(1e-7));
        Assert.That(term.Gradient, Is.EqualTo(-gradient).Within(1e-7));
    }

    [TestCase(1, 1, 1, PolicyClip.None), TestCase(1.25, 1.25, 1.25, PolicyClip.None)]
    [TestCase(2, 1.8600177909, 1.3, PolicyClip.UpperBound), TestCase(.5, .4239970967, .8, PolicyClip.LowerBound)]
    public void Clipped_ratio_bounds_the_gradient_and_never_takes_it(double ratio, double weight, double gradient, PolicyClip clip)
    {
        // 1.3 (1 + ln(2/1.3)) and .8 (1 + ln(.5/.8)), whatever the advantage's sign.
        PolicyLossOptions options = new() { OnPolicyShaping = PolicyShaping.ClippedRatio, Epsilon = .2f, EpsilonHigh = .3f };
        foreach (double advantage in (double[])[1, -1])
        {
            TokenObjective term = PolicyObjective.Evaluate(Math.Log(.1 * ratio), Math.Log(.1), advantage, false, NoTeacher, options);
            Assert.That(term.Weight, Is.EqualTo(weight).Within(1e-6));
            Assert.That(term.Gradient, Is.EqualTo(-advantage * gradient).Within(1e-6));
            Assert.That(term.Clip, Is.EqualTo(clip));
        }
    }

    [TestCase(PolicyShaping.None, 1.5, 1.5), TestCase(PolicyShaping.Regularized, .75, .1875), TestCase(PolicyShaping.TrustRegion, 2.0986122887, 1)]
    public void Recorded_probabilities_have_a_shaping_of_their_own(PolicyShaping shaping, double weight, double gradient)
    {
        // x = .3/.2: x, x/(x + .5) with gradient .5x/(x + .5)², and 1 + ln(x/.5).
        PolicyLossOptions options = new() { OffPolicyShaping = PolicyShaping.LogProb, BehaviorShaping = shaping, BehaviorGamma = .5f };
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(.3), double.NaN, 1, true, Math.Log(.2), options);
        Assert.That(term.Weight, Is.EqualTo(weight).Within(1e-5));
        Assert.That(term.Gradient, Is.EqualTo(-gradient).Within(1e-5));
    }

    [TestCase(PolicyShaping.None, 2), TestCase(PolicyShaping.Regularized, 0.4 / 0.5 / (0.2 / 0.3)), TestCase(PolicyShaping.SquareRoot, 1.4142135623730951)]
    [TestCase(PolicyShaping.Power, 2.8284271247461903)]
    [TestCase(PolicyShaping.LogProb, 3 * 0.6931471805599453), TestCase(PolicyShaping.ProbPlusLogProb, 2 + (3 * 0.6931471805599453))]
    public void On_policy_weight_at_p_04_and_old_p_02(PolicyShaping shaping, double expected)
    {
        PolicyLossOptions options = new()
        {
            OnPolicyShaping = shaping, OnPolicyExponent = 1.5f, OnPolicyLogProbWeight = 3, OffPolicyGamma = .7f, OffPolicyExponent = .9f,
        };
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(.4), Math.Log(.2), 2, false, NoTeacher, options);
        Assert.That(term.Weight, Is.EqualTo(expected).Within(1e-6));
        Assert.That(term.Loss, Is.EqualTo(-2 * expected).Within(2e-6));
    }

    [Test]
    public void Every_gradient_is_the_derivative_of_its_loss()
    {
        double[] logProbs = [-6, -2.1, -.7, -.05];
        foreach (PolicyCase policy in PolicyCase.All)
        {
            foreach (double logProb in logProbs)
            {
                foreach ((double old, double advantage, bool off, double teacher) in Tokens(logProb))
                {
                    TokenObjective term = PolicyObjective.Evaluate(logProb, old, advantage, off, teacher, policy.Options);
                    double numerical = (Loss(logProb + 1e-6) - Loss(logProb - 1e-6)) / 2e-6;
                    Assert.That(term.Gradient, Is.EqualTo(numerical).Within(1e-7 * (1 + Math.Abs(numerical))), $"{policy} at {logProb}, old {old}, A {advantage}, off {off}");

                    double Loss(double at) => PolicyObjective.Evaluate(at, old, advantage, off, teacher, policy.Options).Loss;
                }
            }
        }

        static IEnumerable<(double Old, double Advantage, bool Off, double Teacher)> Tokens(double logProb)
        {
            foreach (double advantage in (double[])[-1.3, .7])
            {
                foreach (double shift in (double[])[-.6, -.15, .04, .25, .9]) yield return (logProb + shift, advantage, false, NoTeacher);
                // As a constant: where none is given it is the probability itself, of which a difference would take the derivative too.
                yield return (logProb - .3, advantage, true, NoTeacher);
                yield return (logProb - .3, advantage, true, Math.Log(.4));
            }
        }
    }

    [TestCase(KlEstimator.K1, -0.3), TestCase(KlEstimator.K2, 0.045), TestCase(KlEstimator.K3, 0.0498588075760032)]
    public void Kl_estimates_and_their_derivatives(KlEstimator estimator, double expected)
    {
        (double kl, double gradient) = PolicyObjective.Kl(-1.5, -1.2, estimator);
        double numerical = (PolicyObjective.Kl(-1.5 + 1e-6, -1.2, estimator).Kl - PolicyObjective.Kl(-1.5 - 1e-6, -1.2, estimator).Kl) / 2e-6;
        Assert.That(kl, Is.EqualTo(expected).Within(1e-12));
        Assert.That(gradient, Is.EqualTo(numerical).Within(1e-8));
    }

    [Test]
    public void Missing_old_log_prob_is_ratio_one_with_a_gradient()
    {
        foreach (PolicyShaping shaping in (PolicyShaping[])[PolicyShaping.None, PolicyShaping.Regularized, PolicyShaping.SquareRoot, PolicyShaping.Power])
        {
            TokenObjective term = PolicyObjective.Evaluate(-2.345, double.NaN, .5, false, NoTeacher, new() { OnPolicyShaping = shaping, Clip = true });
            Assert.That(term.Weight, Is.EqualTo(1).Within(1e-15), $"{shaping}");
            Assert.That(term.Gradient, Is.LessThan(0), $"{shaping}");
        }

        Assert.That(PolicyObjective.Evaluate(-2.345, double.NaN, .5, false, NoTeacher, new()).Weight, Is.EqualTo(1), "exactly");
    }

    [TestCase(1.5, 1.0, PolicyClip.Ratio, -1.3, 0), TestCase(1.5, -1.0, PolicyClip.None, 1.5, 1.5)]
    [TestCase(0.5, -1.0, PolicyClip.Ratio, 0.8, 0), TestCase(0.5, 1.0, PolicyClip.None, -0.5, -0.5), TestCase(1.25, 1.0, PolicyClip.None, -1.25, -1.25)]
    public void Ppo_clip_takes_the_larger_loss(double ratio, double advantage, PolicyClip clip, double loss, double gradient)
    {
        PolicyLossOptions options = new() { Clip = true, Epsilon = .2f, EpsilonHigh = .3f };
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(.2 * ratio), Math.Log(.2), advantage, false, NoTeacher, options);
        Assert.That(term.Clip, Is.EqualTo(clip));
        Assert.That(term.Loss, Is.EqualTo(loss).Within(1e-7));
        Assert.That(term.Gradient, Is.EqualTo(gradient).Within(1e-7));
    }

    [Test]
    public void Demonstrations_are_never_clipped_as_in_ppo()
    {
        PolicyLossOptions options = new() { OffPolicyShaping = PolicyShaping.None };
        TokenObjective free = PolicyObjective.Evaluate(Math.Log(.05), -9, 1, true, NoTeacher, options);
        Assert.That(PolicyObjective.Evaluate(Math.Log(.05), -9, 1, true, NoTeacher, options with { Clip = true }), Is.EqualTo(free));
    }

    [Test]
    public void Recorded_teacher_replaces_shaping()
    {
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(.3), double.NaN, 1, true, Math.Log(.6), new() { OffPolicyShaping = PolicyShaping.LogProb });
        Assert.That(term.Weight, Is.EqualTo(.3 / (.6 + 1e-6)).Within(1e-12));
        Assert.That(term.Gradient, Is.EqualTo(-term.Weight).Within(1e-12));
        Assert.That(PolicyObjective.Evaluate(-1, double.NaN, 1, true, double.NegativeInfinity, new()).Weight, Is.EqualTo(Math.Exp(-1) / 1e-6).Within(1));
    }

    [TestCase(.9, PolicyClip.UpperBound, .8), TestCase(.01, PolicyClip.LowerBound, .1), TestCase(.5, PolicyClip.None, .5)]
    public void Bounds_of_the_off_policy_weight_stop_the_gradient(double p, PolicyClip clip, double weight)
    {
        PolicyLossOptions options = new() { OffPolicyShaping = PolicyShaping.None, OffPolicyMinWeight = .1f, OffPolicyMaxWeight = .8f };
        TokenObjective term = PolicyObjective.Evaluate(Math.Log(p), double.NaN, 1, true, NoTeacher, options);
        Assert.That(term.Clip, Is.EqualTo(clip));
        Assert.That(term.Weight, Is.EqualTo(weight).Within(1e-7));
        Assert.That(term.Gradient == 0, Is.EqualTo(clip != PolicyClip.None));
        TokenObjective sampled = PolicyObjective.Evaluate(Math.Log(p), Math.Log(p) - 2, 1, false, NoTeacher, options);
        Assert.That(sampled.Weight, Is.EqualTo(Math.Exp(2)).Within(1e-6), "bounds are for demonstrations alone");
    }

    [Test]
    public void Too_probable_tokens_have_no_policy_term()
    {
        PolicyLossOptions options = new() { MaxProbability = .8f };
        foreach (bool off in (bool[])[true, false])
        {
            TokenObjective dropped = PolicyObjective.Evaluate(Math.Log(.81), Math.Log(.5), 1, off, NoTeacher, options);
            Assert.That((dropped.Loss, dropped.Gradient, dropped.Clip), Is.EqualTo((0.0, 0.0, PolicyClip.TooProbable)));
            Assert.That(PolicyObjective.Evaluate(Math.Log(.79), Math.Log(.5), 1, off, NoTeacher, options).Gradient, Is.Not.Zero);
            Assert.That(PolicyObjective.Evaluate(0, Math.Log(.5), 1, off, NoTeacher, new() { MaxProbability = 1 }).Gradient, Is.Not.Zero);
        }
    }

    [Test]
    public void No_advantage_is_no_term_whatever_the_weight()
    {
        TokenObjective overflow = PolicyObjective.Evaluate(-1, -5000, 0, false, NoTeacher, new());
        Assert.That((overflow.Loss, overflow.Gradient), Is.EqualTo((0.0, 0.0)), "a ratio of infinity times zero");
        TokenObjective impossible = PolicyObjective.Evaluate(double.NegativeInfinity, double.NaN, 0, true, NoTeacher, new() { OffPolicyShaping = PolicyShaping.LogProb });
        Assert.That((impossible.Loss, impossible.Gradient), Is.EqualTo((0.0, 0.0)));
    }

    [Test]
    public void The_branch_not_taken_cannot_poison_the_result()
    {
        // A demonstration row has no old log-prob worth reading; the ratio would overflow.
        TokenObjective off = PolicyObjective.Evaluate(-2, -5000, 1, true, NoTeacher, new());
        TokenObjective on = PolicyObjective.Evaluate(-2, -2, 1, false, double.NegativeInfinity, new());
        Assert.That(double.IsFinite(off.Loss) && double.IsFinite(off.Gradient));
        Assert.That(on.Weight, Is.EqualTo(1));
    }

    [Test]
    public void Regularized_ratio_of_two_tiny_probabilities_is_finite()
    {
        TokenObjective term = PolicyObjective.Evaluate(-900, -901, 1, false, NoTeacher, new() { OnPolicyShaping = PolicyShaping.Regularized });
        Assert.That(term.Weight, Is.EqualTo(Math.E).Within(1e-9));
    }
}
