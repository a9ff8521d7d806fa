using System.Text.Json;
using Luffy.Engine.Rewards;
using Parquet;

namespace Luffy.Engine.Tests.Rewards.Agreement;

/// <summary>
/// The share of labelled pairs that the verifier judges as they are labelled, for answers written here and for the gold answers of the
/// benchmarks and GSM8K where they lie beside the repository. A kind that falls behind is named even where the whole does not.
/// </summary>
public sealed class VerifierAgreementTests
{
    private const double Required = 0.98, RequiredOfEachKind = 0.95;

    [Test]
    public void Answers_of_every_kind_are_judged_as_labelled() => Check(AnswerSeeds.All, fewest: 1500);

    [Test]
    public void Decided_pairs_are_judged_as_labelled() => Check(DecidedPairs.All(), fewest: 600);

    [Test]
    public async Task The_benchmarks_gold_answers_are_judged_as_labelled()
    {
        var golds = new List<string>();
        foreach (string file in (string[])["valid.all", "valid.arc_c", "valid.gpqa"])
        {
            await using var reader = await ParquetReader.CreateAsync(SharedData.Require($"data/luffy/{file}.parquet"));
            var column = reader.Schema.DataFields.Single(field => field.Path.ToString().EndsWith("ground_truth", StringComparison.Ordinal));
            for (int i = 0; i < reader.RowGroupCount; i++)
            {
                using var group = reader.OpenRowGroupReader(i);
                string?[] values = new string?[group.RowCount];
                await group.ReadAsync(column, values.AsMemory());
                golds.AddRange(values.OfType<string>());
            }
        }

        Check(golds, fewest: 10_000);
    }

    [Test]
    public void The_gold_answers_of_GSM8K_are_judged_as_labelled() => Check(
        File.ReadLines(SharedData.Require("data/gsm8k/test.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("answer").GetString()!)
            .Select(answer => answer[(answer.LastIndexOf("####", StringComparison.Ordinal) + 4)..].Trim()),
        fewest: 3000);

    private static void Check(IEnumerable<string> golds, int fewest) => Check(golds.Distinct().SelectMany(LabelledPairs.Of), fewest);

    private static void Check(IEnumerable<LabelledPair> pairs, int fewest)
    {
        var kinds = new SortedDictionary<string, (int Right, int Count)>(StringComparer.Ordinal);
        var wrong = new List<LabelledPair>();
        foreach (var pair in pairs)
        {
            bool right = MathVerifier.AreEqual(pair.Gold, pair.Answer) == pair.Equal;
            var (before, count) = kinds.GetValueOrDefault(pair.Kind);
            kinds[pair.Kind] = (before + (right ? 1 : 0), count + 1);
            if (!right) wrong.Add(pair);
        }

        int all = kinds.Values.Sum(kind => kind.Count), agreed = kinds.Values.Sum(kind => kind.Right);
        foreach (var (kind, (right, count)) in kinds) TestContext.Out.WriteLine($"{kind,-20} {right,6} of {count,6}  {(double)right / count:P2}");
        TestContext.Out.WriteLine($"{"all",-20} {agreed,6} of {all,6}  {(double)agreed / all:P2}");
        string misses = string.Join('\n', wrong.Take(20));
        Assert.Multiple(() =>
        {
            Assert.That(all, Is.GreaterThanOrEqualTo(fewest));
            Assert.That((double)agreed / all, Is.GreaterThanOrEqualTo(Required), misses);
            foreach (var (kind, (right, count)) in kinds) Assert.That((double)right / count, Is.GreaterThanOrEqualTo(RequiredOfEachKind), $"{kind}\n{misses}");
        });
    }
}
