using System.Text;
using System.Text.RegularExpressions;
using Luffy.Engine.Text.Unicode;

namespace Luffy.Engine.Text;

/// <summary>One change that is made to text before it is cut, as tokenizer.json describes it.</summary>
internal abstract class TextNormalizer
{
    /// <summary>The changed text; the same instance where nothing changes.</summary>
    public abstract string Normalize(string text);
}

/// <summary>Several changes, each of what the one before made.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<TextNormalizer> stages) : TextNormalizer
{
    public override string Normalize(string text)
    {
        foreach (var stage in stages) text = stage.Normalize(text);
        return text;
    }
}

/// <summary>Unicode normalisation: form C, or form D where <paramref name="composes"/> is false.</summary>
internal sealed class CanonicalNormalizer(bool composes) : TextNormalizer
{
    public override string Normalize(string text) => composes ? NfcNormalizer.Normalize(text) : NfcNormalizer.Decompose(text);
}

/// <summary>Puts a text before whatever is not empty (Llama 2: a word begins with ▁).</summary>
internal sealed class PrependNormalizer(string prefix) : TextNormalizer
{
    public override string Normalize(string text) => text.Length == 0 ? text : prefix + text;
}

/// <summary>Replaces what a literal or a pattern matches; the replacement is literal.</summary>
internal sealed class ReplaceNormalizer(string? literal, Regex? pattern, string replacement) : TextNormalizer
{
    public override string Normalize(string text) => literal is not null
        ? text.Replace(literal, replacement, StringComparison.Ordinal) : pattern!.Replace(text, _ => replacement);
}

/// <summary>Takes white space off the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : TextNormalizer
{
    public override string Normalize(string text)
    {
        if (left) text = text.TrimStart();
        return right ? text.TrimEnd() : text;
    }
}

/// <summary>Every code point in lower case by itself.</summary>
internal sealed class LowercaseNormalizer : TextNormalizer
{
    public override string Normalize(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            // The one code point whose lower case is two.
            if (rune.Value == 0x130) result.Append("i\u0307");
            else result.Append(Rune.ToLowerInvariant(rune).ToString());
        }

        return result.ToString();
    }
}
