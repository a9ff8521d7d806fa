using System.Text.Json;

namespace Luffy.Engine.Text;

/// <summary>
/// The tokens that end a completion: the tokenizer's end-of-text, which demonstrations are closed with, and those that <c>generation_config.json</c>
/// names beside it, as Llama 3's <c>&lt;|eot_id|&gt;</c> and <c>&lt;|eom_id|&gt;</c>.
/// </summary>
public static class StopTokens
{
    private const string FileName = "generation_config.json", Key = "eos_token_id";

    /// <summary>Reads them; the tokenizer's own comes first.</summary>
    /// <param name="directory">The model directory; the file may be missing there.</param>
    /// <param name="tokenizer">The directory's tokenizer.</param>
    /// <exception cref="LuffyException">The file is malformed, or names an id that the tokenizer has not.</exception>
    public static IReadOnlyList<int> Of(string directory, BpeTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) return [tokenizer.EndOfTextId];
        JsonNodeReader value = JsonNodeReader.Open(path)[Key];
        JsonNodeReader[] named = value.IsNull ? [] : value.Value.ValueKind == JsonValueKind.Array ? [.. value.Items()] : [value];
        return [.. named.Select(id => id.Number() is >= 0 and var number && number < tokenizer.VocabularySize
            ? number : throw id.Wrong($"an id of the tokenizer, below {tokenizer.VocabularySize}")).Prepend(tokenizer.EndOfTextId).Distinct()];
    }
}
