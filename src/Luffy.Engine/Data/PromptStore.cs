using System.Collections;
using System.Runtime.InteropServices;
using System.Text;
using Luffy.Engine.Text;

namespace Luffy.Engine.Data;

/// <summary>
/// Tokenised prompts in the order of their rows. Up to a limit they are in memory; beyond it all of them are in a temporary file, which goes
/// with the store, and memory has eight bytes for the place of each and eight for its name.
/// </summary>
public sealed class PromptStore : IReadOnlyList<TokenizedPrompt>, IDisposable
{
    private readonly long limit;
    private readonly List<TokenizedPrompt> inMemory = [];
    private readonly List<long> ends = [];
    private readonly List<ulong> names = [];
    private readonly MemoryStream pending = new();
    private FileStream? file;
    private long bytes, written;

    /// <param name="memoryLimit">Bytes of prompts and demonstrations that may be in memory.</param>
    public PromptStore(long memoryLimit) => limit = memoryLimit;

    /// <inheritdoc/>
    public int Count => file is null ? inMemory.Count : ends.Count;

    /// <summary>Whether the prompts are in a file.</summary>
    public bool IsOnDisk => file is not null;

    /// <summary>What the prompts take: in memory roughly, in the file exactly.</summary>
    public long Bytes => file is null ? bytes : written + pending.Length;

    /// <summary>The longest prompt, in tokens.</summary>
    public int MaxPromptTokens { get; private set; }

    /// <inheritdoc/>
    public TokenizedPrompt this[int index]
    {
        get
        {
            if (file is null) return inMemory[index];
            long begin = index == 0 ? 0 : ends[index - 1];
            Flush();
            var block = new byte[ends[index] - begin];
            int at = 0;
            while (at < block.Length)
            {
                int read = RandomAccess.Read(file.SafeFileHandle, block.AsSpan(at), begin + at);
                if (read == 0) throw new LuffyException($"{file.Name}: the temporary file with the dataset has lost its end; free space in that folder and start again with --resume.");
                at += read;
            }

            using var reader = new BinaryReader(new MemoryStream(block), Encoding.UTF8);
            return Read(reader);
        }
    }

    /// <summary>Adds a prompt at the end.</summary>
    public void Add(TokenizedPrompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        MaxPromptTokens = Math.Max(MaxPromptTokens, prompt.PromptIds.Length);
        // Texts of demonstrations have become ids.
        prompt = prompt with { Example = prompt.Example with { Demonstrations = [], DemonstrationIds = [], DemonstrationLogProbs = [] } };
        if (file is null)
        {
            bytes += Size(prompt);
            inMemory.Add(prompt);
            if (bytes > limit) MoveToFile();
        }
        else
        {
            Append(prompt);
        }
    }

    /// <summary>The prompt of an id, or null.</summary>
    public TokenizedPrompt? Find(string id)
    {
        if (file is null) return inMemory.Find(prompt => prompt.Example.Id == id);
        ulong name = NameOf(id);
        ReadOnlySpan<ulong> all = CollectionsMarshal.AsSpan(names);
        for (int i = all.IndexOf(name); i >= 0;)
        {
            if (this[i] is { } prompt && prompt.Example.Id == id) return prompt;
            int next = all[(i + 1)..].IndexOf(name);
            i = next < 0 ? -1 : i + 1 + next;
        }

        return null;
    }

    /// <inheritdoc/>
    public IEnumerator<TokenizedPrompt> GetEnumerator()
    {
        for (int i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public void Dispose()
    {
        file?.Dispose();
        pending.Dispose();
    }

    private void MoveToFile()
    {
        string path = Path.Combine(Path.GetTempPath(), $"luffy-dataset-{Guid.NewGuid():N}");
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = FileOptions.DeleteOnClose | FileOptions.RandomAccess,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        file = new FileStream(path, options);
        // Even a killed process leaves nothing behind where names can go before files.
        if (!OperatingSystem.IsWindows()) File.Delete(path);
        foreach (TokenizedPrompt prompt in inMemory) Append(prompt);
        inMemory.Clear();
        inMemory.TrimExcess();
    }

    private void Append(TokenizedPrompt prompt)
    {
        const int block = 1 << 20;
        using (var writer = new BinaryWriter(pending, Encoding.UTF8, leaveOpen: true)) Write(writer, prompt);
        ends.Add(written + pending.Length);
        names.Add(NameOf(prompt.Example.Id));
        if (pending.Length >= block) Flush();
    }

    private void Flush()
    {
        if (pending.Length == 0) return;
        try
        {
            RandomAccess.Write(file!.SafeFileHandle, pending.GetBuffer().AsSpan(0, (int)pending.Length), written);
        }
        catch (IOException error)
        {
            throw new LuffyException($"{Path.GetTempPath()}: the dataset is larger than dataset_memory and cannot be written to this temporary folder ({error.Message.TrimEnd('.')}); free space there, set TMPDIR to another folder, or raise dataset_memory.", 1, error);
        }

        written += pending.Length;
        pending.SetLength(0);
    }

    private static void Write(BinaryWriter writer, TokenizedPrompt prompt)
    {
        PromptExample example = prompt.Example;
        writer.Write(example.Id);
        writer.Write(example.Source);
        writer.Write(example.Answer);
        writer.Write7BitEncodedInt(example.AlternativeAnswers.Count);
        foreach (string answer in example.AlternativeAnswers) writer.Write(answer);
        writer.Write7BitEncodedInt(example.Messages.Count);
        foreach (ChatMessage message in example.Messages)
        {
            writer.Write(message.Role);
            writer.Write(message.Content);
        }

        WriteIds(writer, prompt.PromptIds);
        writer.Write7BitEncodedInt(prompt.Demonstrations.Count);
        for (int i = 0; i < prompt.Demonstrations.Count; i++)
        {
            WriteIds(writer, prompt.Demonstrations[i]);
            float[]? logProbs = prompt.LogProbsOf(i);
            writer.Write(logProbs is not null);
            if (logProbs is not null) writer.Write(MemoryMarshal.AsBytes<float>(logProbs));
        }
    }

    private static TokenizedPrompt Read(BinaryReader reader)
    {
        var example = new PromptExample
        {
            Id = reader.ReadString(),
            Source = reader.ReadString(),
            Answer = reader.ReadString(),
            AlternativeAnswers = ReadList(reader, r => r.ReadString()),
            Messages = ReadList(reader, r => new ChatMessage(r.ReadString(), r.ReadString())),
        };
        int[] ids = ReadIds(reader);
        var logProbs = new List<float[]?>();
        IReadOnlyList<int[]> demonstrations = ReadList(reader, r =>
        {
            int[] demonstration = ReadIds(r);
            float[]? values = r.ReadBoolean() ? new float[demonstration.Length] : null;
            if (values is not null) r.BaseStream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
            logProbs.Add(values);
            return demonstration;
        });
        return new TokenizedPrompt { Example = example, PromptIds = ids, Demonstrations = demonstrations, DemonstrationLogProbs = logProbs.Exists(v => v is not null) ? logProbs : [] };
    }

    private static T[] ReadList<T>(BinaryReader reader, Func<BinaryReader, T> item)
    {
        var list = new T[reader.Read7BitEncodedInt()];
        for (int i = 0; i < list.Length; i++) list[i] = item(reader);
        return list;
    }

    private static void WriteIds(BinaryWriter writer, int[] ids)
    {
        writer.Write7BitEncodedInt(ids.Length);
        foreach (int id in ids) writer.Write7BitEncodedInt(id);
    }

    private static int[] ReadIds(BinaryReader reader)
    {
        var ids = new int[reader.Read7BitEncodedInt()];
        for (int i = 0; i < ids.Length; i++) ids[i] = reader.Read7BitEncodedInt();
        return ids;
    }

    // FNV-1a over UTF-16 units; two rows of one name are told apart by the row itself.
    private static ulong NameOf(string id)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in id) hash = (hash ^ c) * 1099511628211;
        return hash;
    }

    private static long Size(TokenizedPrompt prompt) =>
        200 + (4L * (prompt.PromptIds.Length + prompt.Demonstrations.Sum(ids => ids.Length + 8) + prompt.DemonstrationLogProbs.Sum(v => v?.Length ?? 0)))
        + (2L * prompt.Example.Messages.Sum(message => message.Content.Length + 40));
}
