using Luffy.Engine.Comparison;

namespace Luffy.Engine.Tests.Comparison;

public sealed class StatisticsTests
{
    [Test]
    public void Pass_at_k_is_estimated_from_all_samples()
    {
        // Of 4 samples 1 is right: two draws without it are C(3,2) = 3 of C(4,2) = 6.
        Assert.That(PassAtKResult.Estimate(4, 1, 1), Is.EqualTo(0.25).Within(1e-12));
        Assert.That(PassAtKResult.Estimate(4, 1, 2), Is.EqualTo(0.5).Within(1e-12));
        Assert.That((PassAtKResult.Estimate(4, 0, 4), PassAtKResult.Estimate(4, 1, 4)), Is.EqualTo((0.0, 1.0)));
        Assert.That(PassAtKResult.Counts(24), Is.EqualTo(new[] { 1, 2, 4, 8, 16 }));
    }

    [Test]
    public void Similarity_is_what_edits_leave_of_the_longer_sequence()
    {
        // One token replaced and one added: two edits, five tokens.
        Assert.That(SimilarityResult.Of([1, 2, 3, 4], [1, 9, 3, 4, 5]), Is.EqualTo(0.6).Within(1e-12));
        Assert.That((SimilarityResult.Of([1, 2], [1, 2]), SimilarityResult.Of([1, 2], [3, 4]), SimilarityResult.Of([], [1]), SimilarityResult.Of([], [])), Is.EqualTo((1.0, 0.0, 0.0, 1.0)));
    }

    private static double[][][] Families(params double[][][] families) => families;

    [Test]
    public void An_interval_over_seeds_is_that_of_students_t()
    {
        // 1, 2, 3: deviation 1, t(0.975, 2) = 4.302653, 4.302653 / √3 = 2.484138.
        Assert.That(MeanInterval.Of([1, 2, 3]).Mean, Is.EqualTo(2));
        Assert.That(MeanInterval.Of([1, 2, 3]).HalfWidth, Is.EqualTo(2.484138).Within(1e-6));
        // 0, 1: deviation 1/√2, t(0.975, 1) = 12.706205, 12.706205 / 2 = 6.353102.
        Assert.That(MeanInterval.Of([0, 1]).HalfWidth, Is.EqualTo(6.353102).Within(1e-6));
        // 2, 4, 4, 6, 9: mean 5, deviation √(28/4) = 2.645751, t(0.975, 4) = 2.776445, 2.776445 · 2.645751 / √5 = 3.285134.
        Assert.That(MeanInterval.Of([2, 4, 4, 6, 9]).HalfWidth, Is.EqualTo(3.285134).Within(1e-6));
        Assert.That(MeanInterval.Of([7]), Is.EqualTo(new MeanInterval(7, null)));
    }

    [Test]
    public void Problems_are_drawn_with_replacement()
    {
        // Two problems, of which one differs: the draws' means are 0, ½ and 1 with probabilities ¼, ½ and ¼.
        Assert.That(PairedBootstrap.Of(Families([[1], [0]]), 1000), Is.EqualTo(new DifferenceInterval(0.5, 0, 1)));
        Assert.That(PairedBootstrap.Of(Families([[0.25], [0.25]]), 1000), Is.EqualTo(new DifferenceInterval(0.25, 0.25, 0.25)));
    }

    [Test]
    public void Seeds_are_drawn_with_replacement()
    {
        // In one seed all problems differ, in the other none: only the draw of seeds can give 0 and 1.
        double[][] family = [.. Enumerable.Repeat(new double[] { 1, 0 }, 50)];
        Assert.That(PairedBootstrap.Of([family], 1000), Is.EqualTo(new DifferenceInterval(0.5, 0, 1)));
    }

    [Test]
    public void Families_count_the_same_however_many_problems_they_have() =>
        Assert.That(PairedBootstrap.Of(Families([[1]], [.. Enumerable.Repeat(new double[] { 0 }, 100)]), 1000), Is.EqualTo(new DifferenceInterval(0.5, 0.5, 0.5)));

    [Test]
    public void With_many_problems_the_interval_is_that_of_the_normal_distribution()
    {
        // 400 problems, half of which differ: the mean's deviation is ½ / √400 = 0.025, so ± 1.96 · 0.025 = 0.049; a quantile of 10,000 draws
        // deviates by about 0.025 · √(0.025 · 0.975 / 10,000) / 0.0584 = 0.0007.
        double[][] family = [.. Enumerable.Range(0, 400).Select(i => new double[] { i % 2 })];
        DifferenceInterval interval = PairedBootstrap.Of([family], 10_000);
        Assert.That(interval.Difference, Is.EqualTo(0.5));
        Assert.That(interval.Low, Is.EqualTo(0.451).Within(0.0035));
        Assert.That(interval.High, Is.EqualTo(0.549).Within(0.0035));
        Assert.That(PairedBootstrap.Of([family], 10_000), Is.EqualTo(interval), "the draws are the same every time");
    }
}
