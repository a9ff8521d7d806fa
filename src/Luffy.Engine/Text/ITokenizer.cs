namespace Luffy.Engine.Text;

/// <summary>Text to ids and back. Ids are the record of everything sampled or trained on; text is a view.</summary>
public interface ITokenizer
{
    /// <summary>One more than the largest id, added tokens included.</summary>
    int VocabularySize { get; }

    /// <summary>The id that ends a completion (<c>eos_token</c> of tokenizer_config.json).</summary>
    int EndOfTextId { get; }

    /// <summary>Encodes text; added tokens in the text (such as <c>&lt;|im_start|&gt;</c>) become their single ids, as Hugging Face does. Adds no BOS.</summary>
    int[] Encode(string text);

    /// <summary>Decodes ids; bytes that are no valid UTF-8 become U+FFFD. Special tokens are left out when <paramref name="skipSpecialTokens"/>.</summary>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false);

    /// <summary>The id of an added or vocabulary token, or null.</summary>
    int? TokenId(string token);
}
