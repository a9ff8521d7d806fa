namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulators))]
public sealed class PolicyLossTests(string backend, DType dtype) : OperationTests(backend, dtype)
{
    public static readonly object[][] Shapes = [[1, 1, 1], [1, 5, 3], [2, 17, 40], [33, 24, 131], [19, 64, 300], [70, 33, 1025]];

    [TestCaseSource(typeof(PolicyCase), nameof(PolicyCase.All))]
    public void Fused_is_the_composition_of_its_parts(PolicyCase policy) =>
        Compare(PolicyBatch.Random(21, Dtype, OnEmulator ? 19 : 37, OnEmulator ? 17 : 24, 67), policy.Options);

    [TestCaseSource(nameof(Shapes))]
    public void Odd_shapes_are_right(int rows, int width, int vocabulary) => Compare(PolicyBatch.Random(31, Dtype, Fewer(rows), width, vocabulary),
        new() { EntropyCoefficient = .1f, KlCoefficient = .2f, Clip = true, Temperature = .9f });

    [TestCaseSource(nameof(Shapes))]
    public void Log_probs_are_those_of_the_loss_to_the_bit(int rows, int width, int vocabulary)
    {
        rows = Fewer(rows);
        PolicyBatch batch = PolicyBatch.Random(41, Dtype, rows, width, Fewer(vocabulary, 300));
        PolicyResult loss = batch.Run(Lab, Dtype, new() { Temperature = .8f }), alone = batch.LogProb(Lab, Dtype, .8f);
        foreach (TokenStatistic statistic in (TokenStatistic[])[TokenStatistic.LogProb, TokenStatistic.Entropy, TokenStatistic.LogSumExp])
        {
            Expect.SameBits($"{statistic}", alone.Statistic(statistic), loss.Statistic(statistic));
            foreach (WeightForm form in (WeightForm[])[WeightForm.Rows, WeightForm.Packed])
                Expect.SameBits($"{statistic}, {form}", batch.LogProb(Lab, Dtype, .8f, form).Statistic(statistic), loss.Statistic(statistic));
        }

        foreach (WeightForm form in (WeightForm[])[WeightForm.Rows, WeightForm.Packed])
        {
            PolicyResult other = batch.Run(Lab, Dtype, new() { Temperature = .8f }, form: form);
            Expect.SameBits($"dHidden, {form}", other.DHidden, loss.DHidden);
            Expect.SameBits($"dHead, {form}", other.DHead, loss.DHead);
        }

        Assert.That(alone.Statistics[(3 * rows)..], Has.All.EqualTo(0f), "the other statistics");
    }

    [TestCase(64, 24, 131), TestCase(33, 40, 700)]
    public void A_token_alone_has_the_bits_that_it_has_in_a_batch(int rows, int width, int vocabulary)
    {
        (rows, width) = (Fewer(rows), Fewer(width, 18));
        PolicyBatch batch = PolicyBatch.Random(51, Dtype, rows, width, Fewer(vocabulary, 150));
        PolicyLossOptions options = new() { EntropyCoefficient = .1f, Temperature = 1.2f };
        PolicyResult whole = batch.Run(Lab, Dtype, options);
        foreach (int part in (int[])[1, 3, 8, 20])
        {
            for (int start = 0; start < rows; start += part)
            {
                int count = Math.Min(part, rows - start);
                PolicyResult some = batch.Slice(start, count).Run(Lab, Dtype, options);
                foreach (TokenStatistic statistic in Enum.GetValues<TokenStatistic>())
                    Expect.SameBits($"{statistic} of {start}+{count}", some.Statistic(statistic), whole.Statistic(statistic)[start..(start + count)]);
                Expect.SameBits($"dHidden of {start}+{count}", some.DHidden, whole.DHidden[(start * width)..((start + count) * width)]);
            }
        }
    }

    [Test]
    public void Head_gradients_of_two_halves_in_order_are_those_of_the_whole()
    {
        int vocabulary = Fewer(150, 40);
        PolicyBatch batch = PolicyBatch.Random(61, Dtype, 64, 20, vocabulary);
        float[] before = Inputs.Normal(62, DType.F32, vocabulary * 20);
        PolicyResult first = batch.Slice(0, 32).Run(Lab, Dtype, new(), before), second = batch.Slice(32, 32).Run(Lab, Dtype, new(), first.DHead);
        Expect.SameBits("dHead", second.DHead, batch.Run(Lab, Dtype, new(), before).DHead);
    }

    [TestCase(1f, 300), TestCase(.6f, 131), TestCase(1f, 2500)]
    public void Sampled_tokens_have_the_log_probs_that_training_computes_to_the_bit(float temperature, int vocabulary)
    {
        const int width = 32;
        int rows = Fewer(40);
        PolicyBatch batch = PolicyBatch.Random(71, Dtype, rows, width, vocabulary);
        Tensor logits = Lab.Output(DType.F32, rows, vocabulary), ids = Lab.Output(DType.I32, rows);
        Tensor logProbs = Lab.Output(DType.F32, rows), kept = Lab.Output(DType.F32, rows);
        Backend.Linear.Forward(logits, Upload(batch.Hidden, rows, width), Lab.Packed(Upload(batch.Head, vocabulary, width)));
        int[] keys = [.. Enumerable.Range(0, rows).SelectMany(r => (int[])[r, 1, 2])];
        Backend.Sampling.Sample(ids, logProbs, kept, logits, Lab.Ints(keys, rows, 3), new SamplingOptions(temperature, 0, 1, 0, 5),
            Lab.Scratch(Backend.Sampling.ScratchBytes(rows, vocabulary)));
        PolicyBatch sampled = PolicyBatch.Random(71, Dtype, rows, width, vocabulary);
        Lab.ReadInts(ids).CopyTo(sampled.Targets, 0);
        float[] trained = sampled.Run(Lab, Dtype, new() { Temperature = temperature }).Statistic(TokenStatistic.LogProb);
        Expect.SameBits("log-probs", Lab.Read(logProbs), trained);
        Expect.SameBits("log-probs where all tokens are kept", Lab.Read(kept), trained);
    }

    [Test]
    public void Tokens_of_weight_zero_add_nothing_even_where_they_overflow()
    {
        PolicyBatch batch = PolicyBatch.Random(81, Dtype, 12, 16, 50);
        Array.Fill(batch.Weights, 0.5f);
        (batch.Weights[3], batch.Advantages[3], batch.OffPolicy[3]) = (0, float.PositiveInfinity, 0);
        (batch.Weights[5], batch.OldLogProbs[5], batch.OffPolicy[5]) = (0, -1e30f, 0);
        PolicyResult result = batch.Run(Lab, Dtype, new() { EntropyCoefficient = .1f });
        Assert.That(result.DHidden[(3 * 16)..(4 * 16)], Has.All.EqualTo(0f));
        Assert.That(result.DHidden[(5 * 16)..(6 * 16)], Has.All.EqualTo(0f));
        Assert.That(result.DHidden.Concat(result.DHead), Has.All.Matches<float>(float.IsFinite));

        PolicyBatch calm = PolicyBatch.Random(81, Dtype, 12, 16, 50);
        Array.Fill(calm.Weights, 0.5f);
        calm.Weights[3] = calm.Weights[5] = 0;
        Expect.SameBits("dHead", result.DHead, calm.Run(Lab, Dtype, new() { EntropyCoefficient = .1f }).DHead);
    }

    [Test]
    public void Missing_old_log_probs_are_ratio_one_exactly()
    {
        PolicyBatch batch = PolicyBatch.Random(91, Dtype, 20, 16, 50);
        Array.Fill(batch.OldLogProbs, float.NaN);
        Array.Fill(batch.OffPolicy, 0);
        PolicyResult result = batch.Run(Lab, Dtype, new() { Clip = true });
        Assert.That(result.Statistic(TokenStatistic.Weight), Has.All.EqualTo(1f));
        Expect.SameBits("gradient", result.Statistic(TokenStatistic.PolicyGradient), Array.ConvertAll(batch.Advantages, a => -a));

        // The log-probs of the same engine, given back to it, are the same thing.
        result.Statistic(TokenStatistic.LogProb).CopyTo(batch.OldLogProbs, 0);
        Expect.SameBits("statistics", batch.Run(Lab, Dtype, new() { Clip = true }).Statistics, result.Statistics);
    }

    [Test]
    public void No_tokens_are_no_work_and_leave_the_head_gradient()
    {
        PolicyBatch empty = PolicyBatch.Random(95, Dtype, 4, 8, 10).Slice(0, 0);
        float[] before = Inputs.Normal(1, DType.F32, 80);
        PolicyResult result = empty.Run(Lab, Dtype, new(), before);
        Expect.SameBits("dHead", result.DHead, before);
        Assert.That(empty.LogProb(Lab, Dtype, 1).Statistics, Is.Empty);
    }

    [Test]
    public void Optional_inputs_may_be_absent()
    {
        PolicyBatch full = PolicyBatch.Random(97, Dtype, 12, 8, 30);
        Array.Fill(full.BehaviorLogProbs!, float.NaN);
        PolicyBatch bare = new()
        {
            Rows = full.Rows, Width = full.Width, Vocabulary = full.Vocabulary, Hidden = full.Hidden, Head = full.Head, Targets = full.Targets,
            Advantages = full.Advantages, OldLogProbs = full.OldLogProbs, OffPolicy = full.OffPolicy, Weights = full.Weights,
            BehaviorLogProbs = null, ReferenceLogProbs = null,
        };
        PolicyResult expected = full.Run(Lab, Dtype, new()), actual = bare.Run(Lab, Dtype, new());
        Expect.SameBits("dHead", actual.DHead, expected.DHead);
        Assert.That(actual.Statistic(TokenStatistic.Kl), Has.All.EqualTo(0f));
        LuffyKernelException error = Assert.Throws<LuffyKernelException>(() => bare.Run(Lab, Dtype, new() { KlCoefficient = .1f }));
        Assert.That(error.Operation, Is.EqualTo("PolicyLoss.ForwardBackward"));
    }

    [TestCaseSource(nameof(Shapes))]
    public void A_head_that_is_not_trained_changes_nothing_else(int rows, int width, int vocabulary)
    {
        PolicyBatch batch = PolicyBatch.Random(98, Dtype, Fewer(rows), width, Fewer(vocabulary, 300));
        PolicyLossOptions options = new() { EntropyCoefficient = .1f };
        float[] before = Inputs.Normal(99, DType.F32, batch.Vocabulary * width);
        PolicyResult trained = batch.Run(Lab, Dtype, options, before), frozen = batch.Run(Lab, Dtype, options, before, headIsTrained: false);
        Expect.SameBits("statistics", frozen.Statistics, trained.Statistics);
        Expect.SameBits("dHidden", frozen.DHidden, trained.DHidden);
        Expect.SameBits("dHead", frozen.DHead, before);
    }

    private int Fewer(int count, int most = 11) => OnEmulator ? Math.Min(count, most) : count;

    private void Compare(PolicyBatch batch, PolicyLossOptions options)
    {
        PolicyResult actual = batch.Run(Lab, Dtype, options);
        PolicyMirror<double>.Result truth = PolicyMirror<double>.Forward(Precision.Truth, batch, options, Inputs.ToDouble(batch.Hidden), Inputs.ToDouble(batch.Head));
        PolicyMirror<float>.Result naive = PolicyMirror<float>.Forward(Precision.Naive(Dtype), batch, options, batch.Hidden, batch.Head);
        Check(TokenStatistic.LogProb, truth.LogProb, naive.LogProb);
        Check(TokenStatistic.Entropy, truth.Entropy, naive.Entropy);
        Check(TokenStatistic.LogSumExp, truth.LogSumExp, naive.LogSumExp);
        Check(TokenStatistic.PolicyLoss, truth.Policy, naive.Policy);
        Check(TokenStatistic.Weight, truth.Weight, naive.Weight);
        Check(TokenStatistic.PolicyGradient, truth.PolicyGradient, naive.PolicyGradient);
        Check(TokenStatistic.Kl, truth.Kl, naive.Kl);
        Assert.That(actual.Statistic(TokenStatistic.Clipped), Is.EqualTo(Array.ConvertAll(truth.Clip, clip => (float)(int)clip)), "clipped");
        Close("dHidden", actual.DHidden, truth.DHidden, naive.DHidden, Dtype);
        Close("dHead", actual.DHead, truth.DHead, naive.DHead, DType.F32);

        void Check(TokenStatistic statistic, double[] exact, float[] single) =>
            Close($"{statistic}", actual.Statistic(statistic), exact, single, DType.F32);
    }
}
