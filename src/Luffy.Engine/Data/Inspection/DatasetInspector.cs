using System.Runtime.InteropServices;
using Luffy.Engine.Configuration;
using Luffy.Engine.Model;
using Luffy.Engine.Rewards;
using Luffy.Engine.Rl;
using Luffy.Engine.Text;

namespace Luffy.Engine.Data.Inspection;

/// <summary>Goes through a dataset once, as training would, and tells what is in it and what would be left out.</summary>
public static class DatasetInspector
{
    private const int RowsAtOnce = 512;

    /// <summary>Inspects.</summary>
    /// <param name="config">How the data is read and checked; its dataset is the one that is looked at.</param>
    /// <param name="modelDirectory">A model directory or <c>builtin</c>, for lengths in tokens; null does without.</param>
    /// <param name="samples">Rows to show.</param>
    /// <param name="cancellation">Stops between rows.</param>
    /// <exception cref="LuffyException">The data is malformed, or the model's tokenizer is.</exception>
    public static DatasetInspection Inspect(TrainingConfiguration config, string? modelDirectory, int samples, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(config);
        DatasetReader reader = DatasetReader.Open(config.Data);
        DemonstrationValidator? validator = modelDirectory is null ? null : TrainingData.Validator(config, ModelDirectory.Resolve(modelDirectory));
        IReward verifier = RewardRegistry.Verifier(config.Reward.RewardFuncs);
        var count = new Counts();
        foreach (PromptExample[] chunk in reader.Read().Chunk(RowsAtOnce))
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (PromptExample example in chunk) count.Add(example, samples);
            var found = new (TokenizedPrompt? Prompt, List<DatasetReport.Refusal> Refusals)[chunk.Length];
            Parallel.For(0, chunk.Length, i => found[i] = validator is null ? (null, WithoutTokens(chunk[i], verifier, config.Guidance.DropWrongDemonstrations)) : validator.Check(chunk[i]));
            for (int i = 0; i < chunk.Length; i++) count.Add(chunk[i], found[i].Prompt, found[i].Refusals, validator is not null);
        }

        return new DatasetInspection
        {
            Files = reader.Files,
            Format = reader.Format,
            Rows = count.Rows + reader.OtherSources,
            Columns = reader.Columns,
            Layout = reader.Layout,
            Sources = count.Sources,
            OtherSources = reader.OtherSources,
            DistinctPrompts = count.Prompts.Count,
            Repetitions = count.Repetitions(),
            RowsWithDemonstration = count.RowsWithDemonstration,
            Demonstrations = count.Demonstrations,
            DemonstrationsWithLogProbs = count.WithLogProbs,
            PromptCharacters = LengthSummary.Of(count.PromptCharacters),
            DemonstrationCharacters = LengthSummary.Of(count.DemonstrationCharacters),
            PromptTokens = LengthSummary.Of(count.PromptTokens),
            DemonstrationTokens = LengthSummary.Of(count.DemonstrationTokens),
            Report = count.Report,
            WithModel = validator is not null,
            Samples = count.Samples,
        };
    }

    // What can be told of texts alone: flags and answers.
    private static List<DatasetReport.Refusal> WithoutTokens(PromptExample example, IReward verifier, bool dropWrong)
    {
        List<DatasetReport.Refusal> refusals = [.. Enumerable.Repeat(new DatasetReport.Refusal(RefusalReason.DemonstrationFlagged, example.Id, "columns.demonstration_flags"), example.FlaggedDemonstrations)];
        if (!dropWrong) return refusals;
        foreach (string text in example.Demonstrations)
        {
            RewardResult result = verifier.Score(example, text);
            if (result.Value <= 0) refusals.Add(new(RefusalReason.DemonstrationNotVerified, example.Id, result.Note ?? $"found {result.Extracted ?? "no answer"}, expected {example.Answer}"));
        }

        return refusals;
    }

    private sealed class Counts
    {
        public long Rows, RowsWithDemonstration, Demonstrations, WithLogProbs;
        public readonly OrderedDictionary<string, long> Sources = [];
        public readonly Dictionary<UInt128, int> Prompts = [];
        public readonly List<int> PromptCharacters = [], DemonstrationCharacters = [], PromptTokens = [], DemonstrationTokens = [];
        public readonly DatasetReport Report = new();
        public readonly List<PromptExample> Samples = [];

        public void Add(PromptExample example, int samples)
        {
            Rows++;
            if (Samples.Count < samples) Samples.Add(example);
            Sources[example.Source] = Sources.GetValueOrDefault(example.Source) + 1;
            CollectionsMarshal.GetValueRefOrAddDefault(Prompts, PromptIdentity.Of(example), out _)++;
            int all = example.Demonstrations.Count + example.DemonstrationIds.Count + example.FlaggedDemonstrations;
            Demonstrations += all;
            WithLogProbs += example.DemonstrationLogProbs.Count(values => values is not null);
            if (all > 0) RowsWithDemonstration++;
            PromptCharacters.Add(example.Messages.Sum(message => message.Content.Length));
            DemonstrationCharacters.AddRange(example.Demonstrations.Select(text => text.Length));
        }

        public void Add(PromptExample example, TokenizedPrompt? prompt, List<DatasetReport.Refusal> refusals, bool withModel)
        {
            refusals.ForEach(Report.Add);
            int kept = withModel ? prompt?.Demonstrations.Count ?? 0
                : example.Demonstrations.Count + example.DemonstrationIds.Count - refusals.Count(r => r.Reason == RefusalReason.DemonstrationNotVerified);
            if (prompt is not null)
            {
                PromptTokens.Add(prompt.PromptIds.Length);
                DemonstrationTokens.AddRange(prompt.Demonstrations.Select(ids => ids.Length));
            }

            if (prompt is null && withModel) return;
            Report.Prompts++;
            Report.Demonstrations += kept;
            if (kept > 0) Report.PromptsWithDemonstration++;
        }

        public SortedDictionary<int, long> Repetitions()
        {
            var times = new SortedDictionary<int, long>();
            foreach (int count in Prompts.Values) times[count] = times.GetValueOrDefault(count) + 1;
            return times;
        }
    }
}
