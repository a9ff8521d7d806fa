using System.Globalization;
using System.Text;

namespace Luffy.Engine.Text;

/// <summary>One decoder of a sequence: takes tokens' texts and passes texts on, some at once and some when it knows what follows.</summary>
internal abstract class DecodingStage
{
    public abstract void Append(string text, Action<string> pass);

    /// <summary>Passes on what is held, and forgets everything.</summary>
    public virtual void Finish(Action<string> pass)
    {
    }
}

/// <summary><c>Replace</c> with a literal, within each token.</summary>
internal sealed class ReplaceStage(string sought, string replacement) : DecodingStage
{
    public override void Append(string text, Action<string> pass) => pass(text.Replace(sought, replacement, StringComparison.Ordinal));
}

/// <summary><c>Metaspace</c>: marks become spaces, but those of the first token nothing where text begins with one that was put there.</summary>
internal sealed class MetaspaceStage(char mark, bool prepends) : DecodingStage
{
    private bool begun;

    public override void Append(string text, Action<string> pass)
    {
        pass(!begun && prepends ? text.Replace(mark.ToString(), "", StringComparison.Ordinal) : text.Replace(mark, ' '));
        begun = true;
    }

    public override void Finish(Action<string> pass) => begun = false;
}

/// <summary>
/// <c>ByteFallback</c>: a run of tokens like <c>&lt;0xE2&gt;</c> is UTF-8. A run that is not becomes U+FFFD once for each of its bytes, as in
/// Hugging Face tokenizers; so a run is held until it ends.
/// </summary>
internal sealed class ByteFallbackStage : DecodingStage
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly List<byte> run = [];

    public override void Append(string text, Action<string> pass)
    {
        if (TryParse(text, out byte value))
        {
            run.Add(value);
            return;
        }

        Finish(pass);
        pass(text);
    }

    public override void Finish(Action<string> pass)
    {
        if (run.Count == 0) return;
        byte[] bytes = run.ToArray();
        run.Clear();
        string text;
        try
        {
            text = Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            text = new string('\uFFFD', bytes.Length);
        }

        pass(text);
    }

    /// <summary>The byte that a token like <c>&lt;0xE2&gt;</c> stands for.</summary>
    public static bool TryParse(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }
}

/// <summary>
/// <c>Strip</c>: takes one character off the ends, at most so many times. After <c>Fuse</c> (<paramref name="fused"/>) the ends are those of
/// the whole text, before it those of each token.
/// </summary>
internal sealed class StripStage(char content, int left, int right, bool fused) : DecodingStage
{
    private int taken, held;
    private bool begun;

    public override void Append(string text, Action<string> pass)
    {
        if (!fused) (begun, taken, held) = (false, 0, 0);
        int start = 0;
        while (!begun && start < text.Length && taken < left && text[start] == content) (start, taken) = (start + 1, taken + 1);
        if (start < text.Length) begun = true;
        int stop = text.Length;
        while (stop > start && text.Length - stop < right && text[stop - 1] == content) stop--;
        if (!fused)
        {
            pass(text[start..stop]);
            return;
        }

        // What may be the end's own waits; with text after it, it was not.
        int trailing = text.Length - stop;
        int released = stop > start ? held : Math.Max(0, held + trailing - right);
        held = held + trailing - released;
        if (stop == start) pass(new string(content, released));
        else pass(new string(content, released) + text[start..stop]);
    }

    public override void Finish(Action<string> pass) => (begun, taken, held) = (false, 0, 0);
}
