using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Luffy.Engine.Data;

/// <summary>What makes two rows the same problem: data source, messages and gold answers, letter by letter.</summary>
internal static class PromptIdentity
{
    /// <summary>The first 128 bits of the SHA-256 sum of all of it.</summary>
    public static UInt128 Of(PromptExample example)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(example.Source);
        foreach (ChatMessage message in example.Messages)
        {
            Add(message.Role);
            Add(message.Content);
        }

        Add("");
        Add(example.Answer);
        foreach (string answer in example.AlternativeAnswers) Add(answer);
        Span<byte> sum = stackalloc byte[32];
        hash.GetHashAndReset(sum);
        return BinaryPrimitives.ReadUInt128LittleEndian(sum);

        void Add(string text)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            Span<byte> length = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }
    }
}
