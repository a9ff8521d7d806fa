namespace Luffy.Kernels.Tests;

[TestFixtureSource(typeof(TestBackends), nameof(TestBackends.AllAndEmulatorF32))]
public sealed class SamplingTests(string backend) : OperationTests(backend, DType.F32)
{
    private static readonly SamplingOptions Plain = new(1, 0, 1, 0, 7);

    [TestCase(1f), TestCase(.7f), TestCase(1.5f)]
    public void Tokens_are_drawn_with_their_probabilities(float temperature)
    {
        const int vocabulary = 11;
        int draws = OnEmulator ? 2000 : 20000;
        float[] logits = Normal(1, vocabulary, 1.5);
        int[] counts = new int[vocabulary];
        foreach (int id in Draw(Repeat(logits, draws), vocabulary, Plain with { Temperature = temperature }).Ids) counts[id]++;
        double[] p = Softmax(logits, temperature);
        double chiSquare = 0;
        for (int v = 0; v < vocabulary; v++) chiSquare += Math.Pow(counts[v] - (draws * p[v]), 2) / (draws * p[v]);
        // 10 degrees of freedom: 29.6 is exceeded once in a thousand seeds; the seed is fixed.
        Assert.That(chiSquare, Is.LessThan(29.6), string.Join(" ", counts));
    }

    [TestCase(1), TestCase(5), TestCase(4096)]
    public void Every_part_of_the_key_and_the_seed_matter_and_nothing_else_does(int vocabulary)
    {
        int rows = OnEmulator ? 16 : 64;
        float[] logits = Normal(2, rows * vocabulary);
        int[] keys = Keys(rows);
        Result whole = Draw(logits, vocabulary, Plain, keys);
        for (int s = 0; s < rows; s += 7)
        {
            int count = Math.Min(7, rows - s);
            Result part = Draw(logits[(s * vocabulary)..((s + count) * vocabulary)], vocabulary, Plain, keys[(3 * s)..(3 * (s + count))]);
            Assert.That(part.Ids, Is.EqualTo(whole.Ids[s..(s + count)]));
            Expect.SameBits("log-probs", part.LogProbs, whole.LogProbs[s..(s + count)]);
        }

        if (vocabulary == 1) return;
        Assert.That(Draw(logits, vocabulary, Plain with { Seed = 8 }, keys).Ids, Is.Not.EqualTo(whole.Ids), "low word of the seed");
        Assert.That(Draw(logits, vocabulary, Plain with { Seed = 7 + (1ul << 32) }, keys).Ids, Is.Not.EqualTo(whole.Ids), "high word of the seed");
        for (int part = 0; part < 3; part++)
        {
            int[] other = (int[])keys.Clone();
            for (int s = 0; s < rows; s++) other[(3 * s) + part] += 1000;
            Assert.That(Draw(logits, vocabulary, Plain, other).Ids, Is.Not.EqualTo(whole.Ids), $"key {part}");
        }
    }

    [Test]
    public void Tokens_are_those_of_the_contract_s_formula()
    {
        const int vocabulary = 97;
        int rows = OnEmulator ? 30 : 200;
        float[] logits = Normal(3, rows * vocabulary);
        int[] keys = Keys(rows);
        int[] ids = Draw(logits, vocabulary, Plain with { Temperature = .8f, Seed = 0x123456789ABCDEF }, keys).Ids;
        for (int s = 0; s < rows; s++)
        {
            double best = double.NegativeInfinity;
            int expected = -1;
            for (int v = 0; v < vocabulary; v++)
            {
                (uint X0, uint X1, uint X2, uint X3) word = Philox.Generate((uint)v / 4, (uint)keys[3 * s], (uint)keys[(3 * s) + 1],
                    (uint)keys[(3 * s) + 2], 0x123456789ABCDEF);
                uint bits = (v % 4) switch { 0 => word.X0, 1 => word.X1, 2 => word.X2, _ => word.X3 };
                double value = (logits[(s * vocabulary) + v] / .8) - Math.Log(-Math.Log(((bits >> 9) + .5) / (1 << 23)));
                if (value > best) (best, expected) = (value, v);
            }

            Assert.That(ids[s], Is.EqualTo(expected), $"row {s}");
        }
    }

    [TestCase(0, 1f, 0f), TestCase(1, 1f, 0f), TestCase(5, 1f, 0f), TestCase(1000, 1f, 0f), TestCase(0, .5f, 0f), TestCase(0, .9f, 0f)]
    [TestCase(0, 1f, .2f), TestCase(0, 1f, 1f), TestCase(7, .8f, 0f), TestCase(9, .9f, .15f), TestCase(0, 1e-6f, 0f)]
    public void Filters_keep_what_a_plain_sort_keeps(int topK, float topP, float minP)
    {
        const int vocabulary = 23;
        int draws = OnEmulator ? 80 : 400;
        foreach (float temperature in (float[])[1, .6f])
        {
            float[] logits = Normal(4, vocabulary, 1.5);
            SamplingOptions options = new(temperature, topK, topP, minP, 3);
            HashSet<int> kept = Kept(logits, options);
            Result result = Draw(Repeat(logits, draws), vocabulary, options);
            double[] p = Softmax(logits, temperature);
            double mass = kept.Sum(v => p[v]);
            for (int s = 0; s < draws; s++)
            {
                int id = result.Ids[s];
                Assert.That(kept, Does.Contain(id));
                Assert.That(result.LogProbs[s], Is.EqualTo(Math.Log(p[id])).Within(3e-6), "over the whole vocabulary");
                Assert.That(result.SampledLogProbs[s], Is.EqualTo(Math.Log(p[id] / mass)).Within(3e-6), "among the kept tokens");
            }

            // Whatever has a fair chance turns up: nothing is removed that should be kept.
            HashSet<int> seen = [.. result.Ids];
            foreach (int v in kept.Where(v => p[v] / mass > 16.0 / draws)) Assert.That(seen, Does.Contain(v), $"token {v} of p {p[v] / mass:F3} was never drawn");
        }
    }

    // Of several blocks; of tokens that share their logit with some, and with all.
    [TestCase(1f, 0, .9f, 0f), TestCase(.7f, 3, 1f, 0f), TestCase(1f, 200, .5f, 0f), TestCase(1.3f, 0, 1f, .05f), TestCase(.9f, 40, .8f, .01f)]
    [TestCase(1f, 0, .99995f, 0f), TestCase(1f, 0, 1e-4f, 0f), TestCase(1f, 4499, .999f, 0f), TestCase(.8f, 0, .95f, .02f)]
    public void Filters_of_a_large_vocabulary_keep_what_the_reference_keeps(float temperature, int topK, float topP, float minP)
    {
        const int vocabulary = 4500, rows = 2;
        SamplingOptions options = new(temperature, topK, topP, minP, 11);
        using ReferenceBackend reference = new();
        float[] smooth = Normal(7, rows * vocabulary, 2), tied = Array.ConvertAll(smooth, z => MathF.Round(2 * z) / 2), equal = new float[rows * vocabulary];
        foreach ((string name, float[] logits) in (ReadOnlySpan<(string, float[])>)[("smooth", smooth), ("tied", tied), ("equal", equal)])
        {
            Result actual = Draw(logits, vocabulary, options), expected = Draw(reference, logits, vocabulary, options, Keys(rows));
            Assert.That(actual.Ids, Is.EqualTo(expected.Ids), name);
            for (int s = 0; s < rows; s++)
            {
                Assert.That(actual.LogProbs[s], Is.EqualTo(expected.LogProbs[s]).Within(1e-5), name);
                // A token more or less at the bound is a matter of rounding.
                Assert.That(actual.SampledLogProbs[s], Is.EqualTo(expected.SampledLogProbs[s]).Within(3e-4), name);
            }
        }
    }

    [Test]
    public void Ties_with_the_k_th_token_are_kept()
    {
        float[] logits = [3, 1, 2, 2, 2, 0];
        Result result = Draw(Repeat(logits, OnEmulator ? 100 : 500), 6, Plain with { TopK = 2 });
        Assert.That(result.Ids.Distinct().Order(), Is.EqualTo(new[] { 0, 2, 3, 4 }));
    }

    [Test]
    public void Greedy_takes_the_largest_and_the_lowest_id_among_equals()
    {
        float[] logits = [1, 5, 2, 5, -1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        int vocabulary = logits.Length;
        Result result = Draw([.. logits, .. logits.Reverse()], vocabulary, Plain with { Temperature = 0, TopK = 3, TopP = .5f });
        double[] p = Softmax(logits, 1);
        Assert.That(result.Ids, Is.EqualTo(new[] { 1, 0 }));
        Assert.That(result.LogProbs[0], Is.EqualTo(Math.Log(p[1])).Within(1e-6), "at temperature 1");
        Assert.That(result.SampledLogProbs, Has.All.EqualTo(0f));
    }

    [Test]
    public void Log_probs_of_any_filter_are_those_without_to_the_bit()
    {
        const int vocabulary = 500;
        int rows = OnEmulator ? 10 : 30;
        float[] logits = Normal(5, rows * vocabulary);
        Result filtered = Draw(logits, vocabulary, new(.8f, 0, .999999f, 1e-30f, 1)), full = Draw(logits, vocabulary, new(.8f, 0, 1, 0, 1));
        for (int s = 0; s < rows; s++)
        {
            if (filtered.Ids[s] == full.Ids[s]) Expect.SameBits("log-prob", [filtered.LogProbs[s]], [full.LogProbs[s]]);
        }

        Expect.SameBits("kept", full.SampledLogProbs, full.LogProbs);
        Assert.That(filtered.Ids.Zip(full.Ids).Count(pair => pair.First == pair.Second), Is.GreaterThan(rows - 3));
    }

    [Test]
    public void Rare_words_of_the_generator_do_not_draw_impossible_tokens()
    {
        // A million draws from one certain token and many impossible ones: an infinite Gumbel would pick one of them.
        const int vocabulary = 1000;
        int rows = OnEmulator ? 30 : 1000;
        float[] logits = new float[vocabulary];
        Array.Fill(logits, -60f);
        logits[17] = 0;
        int[] ids = Draw(Repeat(logits, rows), vocabulary, Plain).Ids;
        Assert.That(ids, Has.All.EqualTo(17));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Philox.Gumbel(uint.MaxValue), Is.EqualTo(16.6355).Within(1e-3), "the largest");
            Assert.That(Philox.Gumbel(0), Is.EqualTo(-2.8120).Within(1e-3), "the smallest");
        }
    }

    [TestCase(0, 1f), TestCase(5, 1f), TestCase(0, .9f)]
    public void Broken_logits_still_give_an_id_of_the_vocabulary(int topK, float topP)
    {
        foreach (float broken in (float[])[float.NaN, float.NegativeInfinity, float.PositiveInfinity])
        {
            float[] all = new float[33], one = Normal(6, 33);
            Array.Fill(all, broken);
            one[30] = broken;
            foreach (float temperature in (float[])[0, 1])
                Assert.That(Draw([.. all, .. one], 33, new(temperature, topK, topP, 0, 1)).Ids, Has.All.InRange(0, 32), $"{broken} at {temperature}");
        }
    }

    private static HashSet<int> Kept(float[] logits, SamplingOptions options)
    {
        double[] p = Softmax(logits, options.Temperature);
        List<int> order = [.. Enumerable.Range(0, p.Length).OrderByDescending(v => p[v])];
        if (options.TopK > 0) order = [.. order.Take(options.TopK)];
        double total = order.Sum(v => p[v]), mass = 0;
        List<int> nucleus = [];
        foreach (int v in order)
        {
            if (options.TopP < 1 && nucleus.Count > 0 && mass >= options.TopP * total) break;
            nucleus.Add(v);
            mass += p[v];
        }

        return [.. nucleus.Where(v => p[v] >= options.MinP * p[order[0]])];
    }

    private static double[] Softmax(float[] logits, double temperature)
    {
        double maximum = logits.Max();
        double[] e = [.. logits.Select(z => Math.Exp((z - maximum) / temperature))];
        double total = e.Sum();
        return [.. e.Select(value => value / total)];
    }

    private static float[] Repeat(float[] row, int times) => [.. Enumerable.Repeat(row, times).SelectMany(values => values)];

    private static int[] Keys(int rows) => [.. Enumerable.Range(0, rows).SelectMany(s => (int[])[s / 8, s % 8, 3 * s])];

    private Result Draw(float[] logits, int vocabulary, SamplingOptions options, int[]? keys = null) =>
        Draw(Backend, logits, vocabulary, options, keys ?? Keys(logits.Length / vocabulary));

    private static Result Draw(IBackend backend, float[] logits, int vocabulary, SamplingOptions options, int[] keys)
    {
        int rows = logits.Length / vocabulary;
        using Lab lab = new(backend);
        Tensor ids = lab.Output(DType.I32, rows), logProbs = lab.Output(DType.F32, rows), kept = lab.Output(DType.F32, rows);
        backend.Sampling.Sample(ids, logProbs, kept, lab.Floats(DType.F32, logits, rows, vocabulary), lab.Ints(keys, rows, 3), options,
            lab.Scratch(backend.Sampling.ScratchBytes(rows, vocabulary)));
        return new Result(lab.ReadInts(ids), lab.Read(logProbs), lab.Read(kept));
    }

    private sealed record Result(int[] Ids, float[] LogProbs, float[] SampledLogProbs);
}
