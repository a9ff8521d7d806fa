using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Luffy.Engine.Text;

/// <summary>
/// Byte-pair encoding of one pre-token: its bytes or characters become tokens, then the adjacent pair of lowest rank merges (the leftmost of
/// equals) until no pair has a rule. Safe to use from several threads; words that repeat are remembered.
/// </summary>
internal sealed class BytePairMerger
{
    private const int CachedWords = 1 << 16, CachedLength = 64, HeapFrom = 48;

    private readonly WordSymbols symbols;
    private readonly Dictionary<long, Rule> rules;
    private readonly Dictionary<string, int>? wholeWords;
    private readonly bool cutsAtMarks;
    private readonly ConcurrentDictionary<string, int[]> cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> cacheBySpan;
    private int cached;

    /// <summary>What stands for a space in vocabularies over characters.</summary>
    public const char Mark = '▁';

    /// <summary>What a pair merges to, and how early.</summary>
    public readonly record struct Rule(int Rank, int Id);

    /// <param name="symbols">What a word's merging starts from.</param>
    /// <param name="rules">Merge rules by <see cref="Key"/>.</param>
    /// <param name="wholeWords">The vocabulary, where <c>ignore_merges</c> takes a whole word first; else null.</param>
    /// <param name="cutsAtMarks">Whether no rule joins anything with a <see cref="Mark"/> after it, so that a word may be cut before each run of them
    /// without another outcome: whole texts of Llama 2, which has no pre-tokenizer, become words that can be remembered.</param>
    public BytePairMerger(WordSymbols symbols, Dictionary<long, Rule> rules, Dictionary<string, int>? wholeWords, bool cutsAtMarks)
    {
        (this.symbols, this.rules, this.wholeWords, this.cutsAtMarks) = (symbols, rules, wholeWords, cutsAtMarks);
        cacheBySpan = cache.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The key of a pair of ids.</summary>
    public static long Key(int left, int right) => (long)left << 32 | (uint)right;

    /// <summary>Appends the ids of one pre-token.</summary>
    /// <exception cref="LuffyException">The vocabulary has no token for one of its bytes or characters.</exception>
    public void Encode(ReadOnlySpan<char> word, List<int> output)
    {
        while (cutsAtMarks)
        {
            int leading = word.IndexOfAnyExcept(Mark);
            int next = leading < 0 ? -1 : word[leading..].IndexOf(Mark);
            if (next < 0) break;
            EncodeWhole(word[..(leading + next)], output);
            word = word[(leading + next)..];
        }

        EncodeWhole(word, output);
    }

    private void EncodeWhole(ReadOnlySpan<char> word, List<int> output)
    {
        if (cacheBySpan.TryGetValue(word, out int[]? known))
        {
            output.AddRange(known);
            return;
        }

        int before = output.Count;
        Merge(word, output);
        if (word.Length > CachedLength || Volatile.Read(ref cached) >= CachedWords) return;
        int[] ids = output.GetRange(before, output.Count - before).ToArray();
        if (cache.TryAdd(word.ToString(), ids)) Interlocked.Increment(ref cached);
    }

    private void Merge(ReadOnlySpan<char> word, List<int> output)
    {
        if (wholeWords is not null && wholeWords.TryGetValue(symbols.Spell(word), out int whole))
        {
            output.Add(whole);
            return;
        }

        var parts = new List<int>(word.Length);
        symbols.Append(word, parts);
        var ids = CollectionsMarshal.AsSpan(parts);
        if (ids.Length < HeapFrom) MergeByScan(ids, output);
        else MergeByHeap(ids.ToArray(), output);
    }

    private void MergeByScan(Span<int> ids, List<int> output)
    {
        int length = ids.Length;
        while (length > 1)
        {
            var best = new Rule(int.MaxValue, 0);
            int at = -1;
            for (int i = 0; i + 1 < length; i++)
                if (rules.TryGetValue(Key(ids[i], ids[i + 1]), out var rule) && rule.Rank < best.Rank) (best, at) = (rule, i);
            if (at < 0) break;
            ids[at] = best.Id;
            length--;
            ids[(at + 2)..(length + 1)].CopyTo(ids[(at + 1)..]);
        }

        for (int i = 0; i < length; i++) output.Add(ids[i]);
    }

    // A long stretch without a break (base64, a run of spaces) would make the scan quadratic; the heap keeps it n·log n.
    private void MergeByHeap(int[] ids, List<int> output)
    {
        int[] next = new int[ids.Length], previous = new int[ids.Length];
        var queue = new PriorityQueue<int, long>(ids.Length);
        for (int i = 0; i < ids.Length; i++) (next[i], previous[i]) = (i + 1, i - 1);
        for (int i = 0; i + 1 < ids.Length; i++) Offer(i);

        while (queue.TryDequeue(out int at, out long priority))
        {
            // An entry is stale when its left part was merged away (−1) or its pair has become another one.
            if (ids[at] < 0 || next[at] >= ids.Length || !rules.TryGetValue(Key(ids[at], ids[next[at]]), out var rule)
                || rule.Rank != priority >> 32) continue;
            int removed = next[at];
            ids[at] = rule.Id;
            ids[removed] = -1;
            next[at] = next[removed];
            if (next[at] < ids.Length) previous[next[at]] = at;
            Offer(at);
            if (previous[at] >= 0) Offer(previous[at]);
        }

        for (int i = 0; i < ids.Length; i = next[i]) output.Add(ids[i]);

        void Offer(int i)
        {
            if (next[i] < ids.Length && rules.TryGetValue(Key(ids[i], ids[next[i]]), out var rule))
                queue.Enqueue(i, (long)rule.Rank << 32 | (uint)i);
        }
    }
}
