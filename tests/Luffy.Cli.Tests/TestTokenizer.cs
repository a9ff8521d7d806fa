using System.Text.Json;
using Luffy.Engine.Text;

namespace Luffy.Cli.Tests;

/// <summary>A tokenizer of single bytes and one end-of-text token, the last id.</summary>
internal static class TestTokenizer
{
    /// <summary>Writes tokenizer.json and tokenizer_config.json.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="firstByte">The byte of id 0.</param>
    /// <param name="bytes">How many bytes have an id.</param>
    public static void Write(string folder, int firstByte = 0, int bytes = 256)
    {
        IEnumerable<string> letters = Enumerable.Range(0, bytes).Select(i => $"{JsonSerializer.Serialize(ByteAlphabet.ToLetter((byte)(firstByte + i)).ToString())}:{i}");
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), $$$"""
            {"version":"1.0","added_tokens":[{"id":{{{bytes}}},"content":"<|end|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
             "normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false},
             "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
             "model":{"type":"BPE","vocab":{ {{{string.Join(',', letters)}}} },"merges":[]}}
            """);
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """
            {"eos_token":"<|end|>","chat_template":"{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}A{{ mood }}{% endif %}"}
            """);
    }
}
