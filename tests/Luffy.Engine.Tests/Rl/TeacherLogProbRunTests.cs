using System.Text.Json;
using Luffy.Engine.Text;

namespace Luffy.Engine.Tests.Rl;

/// <summary>Log-probs that a teacher recorded go with its demonstration from the file into the loss.</summary>
[TestFixture]
public sealed class TeacherLogProbRunTests : TrainingRunFixture
{
    [Test]
    public void They_are_recorded_with_the_row_and_change_its_weight()
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelDirectory);
        int[] ids = [.. tokenizer.Encode("5</think>\n\\boxed{5}"), tokenizer.EndOfTextId];
        float[] logProbs = [.. ids.Select((_, i) => -0.01f * (i + 1))];
        string file = Path.Combine(Folder, "data.jsonl");
        File.WriteAllLines(file, Enumerable.Range(0, 4).Select(i => JsonSerializer.Serialize(new { question = $"{i} + {5 - i}", gold = "5", trace = ids, teacher = logProbs })));
        string[] settings =
        [
            $"dataset_name={file}", "columns.prompt=question", "columns.answer=gold", "columns.demonstration=trace", "columns.demonstration_logprobs=teacher", "eval_after=[]",
            "max_steps=1", "save_steps=1",
        ];
        Execute("recorded", [.. settings, "behavior_reshape=none"]);
        JsonElement[] demonstrations = [.. Rollouts("recorded", 1).Where(r => r.GetProperty("source").GetString() == "off")];
        Assert.That(demonstrations, Has.Length.EqualTo(2));
        foreach (JsonElement row in demonstrations)
            Assert.That(row.GetProperty("behavior_logprobs").EnumerateArray().Select(v => v.GetSingle()), Is.EqualTo(logProbs));

        // Without the column the behaviour probability is 1, and the weight of a token π instead of π/π_teacher.
        Execute("plain", [.. settings.Where(s => !s.Contains("logprobs", StringComparison.Ordinal))]);
        double with = Metrics("recorded", 1).GetProperty("actor/off_pg_loss").GetDouble(), without = Metrics("plain", 1).GetProperty("actor/off_pg_loss").GetDouble();
        Assert.That(with, Is.Not.EqualTo(without).And.LessThan(0));
    }
}
