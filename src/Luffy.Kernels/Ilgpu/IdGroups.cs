using System.Numerics;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// Tokens grouped by their ids, by the host, in time proportional to the tokens: a sum over the tokens of an id then reads those tokens and no
/// others. Groups come in the order of their first tokens, and tokens ascend within a group. Memory is kept from call to call.
/// </summary>
internal sealed class IdGroups
{
    // By id: one more than its group; zero between calls.
    private int[] _groupOf = [];
    private int[] _packed = [];
    private int _tokens;

    /// <summary>Distinct ids.</summary>
    public int Count { get; private set; }

    /// <summary>
    /// What a kernel needs: the places where groups begin [<see cref="Count"/> + 1], counted from what follows; then the tokens of all groups.
    /// </summary>
    public ReadOnlySpan<int> Packed => _packed.AsSpan(0, Count + 1 + _tokens);

    /// <summary>Bytes held.</summary>
    public long Bytes => 4L * (_groupOf.Length + _packed.Length);

    /// <summary>The most that <see cref="Packed"/> holds for so many tokens.</summary>
    public static int PackedLength(int tokens) => checked((2 * tokens) + 1);

    /// <summary>Groups the places of <paramref name="ids"/>, each of which is below <paramref name="limit"/>.</summary>
    public void Group(ReadOnlySpan<int> ids, int limit)
    {
        if (_groupOf.Length < limit) _groupOf = new int[limit];
        if (_packed.Length < PackedLength(ids.Length)) _packed = new int[BitOperations.RoundUpToPowerOf2((uint)PackedLength(ids.Length))];
        (_tokens, Count) = (ids.Length, 0);
        foreach (int id in ids)
        {
            ref int group = ref _groupOf[id];
            if (group == 0)
            {
                _packed[Count++] = 0;
                group = Count;
            }

            _packed[group - 1]++;
        }

        // Where each group ends. Filling groups from their ends makes of it where they begin.
        for (int group = 1; group < Count; group++) _packed[group] += _packed[group - 1];
        _packed[Count] = ids.Length;
        Span<int> tokens = _packed.AsSpan(Count + 1);
        for (int token = ids.Length - 1; token >= 0; token--) tokens[--_packed[_groupOf[ids[token]] - 1]] = token;
        foreach (int id in ids) _groupOf[id] = 0;
    }
}
