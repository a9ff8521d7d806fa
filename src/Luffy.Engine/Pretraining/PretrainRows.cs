using Luffy.Engine.Configuration;
using Luffy.Engine.Data;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Rl;
using Luffy.Engine.Text;

namespace Luffy.Engine.Pretraining;

/// <summary>Turns a stage's mixture into rows: the rendered prompt and what is given of the work, the completion, end-of-text.</summary>
internal sealed class PretrainRows(PretrainStage stage, ITokenizer tokenizer, ChatTemplate template, ulong seed, int maxLength) : IDisposable
{
    private readonly IEnumerator<PretrainExample> _examples = new PretrainMixture(
        [.. stage.Families.Select(f => new PretrainFamily
        {
            Family = f.Family,
            Weight = f.Weight,
            Level = f.Level,
            ThinkRate = f.ThinkRate,
            ContinueRate = f.ContinueRate,
            MidwayRate = f.MidwayRate,
            CheckedRate = f.CheckedRate,
            WrongLineRate = f.WrongLineRate,
        })], seed).Examples().GetEnumerator();

    public List<TrainingRow> Next(int count)
    {
        var rows = new List<TrainingRow>(count);
        while (rows.Count < count)
        {
            _examples.MoveNext();
            (TaskProblem problem, string context, string completion) = _examples.Current;
            int[] prompt = [.. tokenizer.Encode(template.Render([new ChatMessage("user", problem.Question)])), .. tokenizer.Encode(context)];
            int[] ids = [.. prompt, .. tokenizer.Encode(completion), tokenizer.EndOfTextId];
            if (ids.Length > maxLength)
                throw new LuffyException($"a pretraining example of {ids.Length} tokens (family '{problem.Family}') is longer than max_position_embeddings ({maxLength})");
            int given = stage.CompletionOnlyLoss ? prompt.Length : 1;
            rows.Add(new TrainingRow { Ids = ids, PromptLength = given, OffPolicyTokens = ids.Length - given, Advantage = 1 });
        }

        return rows;
    }

    public void Dispose() => _examples.Dispose();
}
