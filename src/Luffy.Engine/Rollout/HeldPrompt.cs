namespace Luffy.Engine.Rollout;

/// <summary>
/// Keeps a prompt's pages until all its samples have started. One of the samples writes on into the last page, behind the prompt; what
/// the others copy from it is the prompt, and each overwrites the rest before it reads it.
/// </summary>
internal sealed class HeldPrompt(KvCache cache, int maxPages)
{
    private readonly int[] _pages = new int[maxPages];
    private int _count;

    /// <summary>True between <see cref="Take"/> and <see cref="Release"/>.</summary>
    public bool IsHeld => _count > 0;

    /// <summary>The prompt's pages.</summary>
    public ReadOnlySpan<int> Pages => _pages.AsSpan(0, _count);

    /// <summary>Takes free pages for a prompt of <paramref name="length"/> tokens.</summary>
    public void Take(int length)
    {
        _count = KvCache.PagesFor(length);
        for (int page = 0; page < _count; page++) _pages[page] = cache.Take();
    }

    /// <summary>Adds the first <paramref name="count"/> pages to those of a sequence that has none yet.</summary>
    public void ShareWith(ActiveSequence sequence, int count)
    {
        for (int page = 0; page < count; page++) cache.Share(sequence.Pages[page] = _pages[page]);
        sequence.PageCount = count;
    }

    /// <summary>Lets go; samples that share pages keep them.</summary>
    public void Release()
    {
        foreach (int page in Pages) cache.Release(page);
        _count = 0;
    }
}
