using System.Text.Encodings.Web;
using System.Text.Json;
using Luffy.Engine.Evaluation;

namespace Luffy.Engine.Rewards;

/// <summary>The <c>verify</c> command: grades one answer a line.</summary>
public static class AnswerGrading
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary><c>{"gold":…,"answer":…}</c> to <c>{"correct":…,"gold":…,"answer":…}</c> with what was found in each; null where nothing was.</summary>
    /// <param name="line">The line.</param>
    /// <param name="where">Its place, for messages.</param>
    /// <exception cref="LuffyException">The line is no such object.</exception>
    public static string GradeJson(string line, string where)
    {
        JsonLineReader.Line row = JsonLineReader.Parse(where, line);
        return JsonSerializer.Serialize(MathVerifier.Verify(row.Text("gold"), row.Text("answer")), Format);
    }
}
