using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>
/// Decides which sequences are in the batch, which pages of the cache they hold, and how many tokens of each the next forward pass takes.
/// A row that ends gives its place to the next sample at once, be it in the middle of a group. Pages are taken when they are needed; when
/// none is left, the sequence that began last gives its own up and computes them again later, so the first always gets on. None of this
/// shows in what is sampled, because the kernels are batch-invariant.
/// </summary>
internal sealed class RolloutSchedule
{
    private readonly KvCache _cache;
    private readonly Stack<ActiveSequence> _idle = new();
    private readonly int[] _held; // pages of the prompt whose request has samples that have not begun
    private readonly int[] _copies;
    private ActiveSequence? _leader; // computes the prompt of that request
    private int _heldCount;
    private int _copyCount;

    public RolloutSchedule(KvCache cache, RolloutPlan plan, int maxPages)
    {
        _cache = cache;
        Active = new List<ActiveSequence>(plan.Batch);
        for (int i = 0; i < plan.Batch; i++) _idle.Push(new ActiveSequence(maxPages, plan.MaxNewTokens));
        (_held, _copies) = (new int[maxPages], new int[2 * plan.Batch]);
    }

    /// <summary>Sequences of the batch in the order in which they began.</summary>
    public List<ActiveSequence> Active { get; }

    /// <summary>Goes up with every change of <see cref="Active"/> or of its sequences' pages.</summary>
    public long Changes { get; private set; }

    /// <summary>Pages to copy, source and destination by turns, since <see cref="CopiesDone"/>.</summary>
    public ReadOnlySpan<int> Copies => _copies.AsSpan(0, 2 * _copyCount);

    public void CopiesDone() => _copyCount = 0;

    /// <summary>Gives idle rows to waiting samples while their prompts find room in the cache.</summary>
    public void Admit(RolloutQueue queue)
    {
        if (!queue.HasWaiting || _idle.Count == 0) return;
        int promised = 0;
        foreach (ActiveSequence s in Active) promised += Promised(s);
        while (queue.HasWaiting && _idle.Count > 0)
        {
            int request = queue.Next, length = queue.PromptLength, growth = Growth(length, length + queue.MaxNewTokens);
            int pages = _heldCount > 0 || _leader is not null ? 1 : KvCache.PagesFor(length);
            // A sequence that would have to give its pages up soon is better not begun.
            if (Active.Count > 0 && _cache.FreePages < promised + pages + growth) return;
            promised += growth + (_heldCount > 0 ? 0 : pages);
            ActiveSequence s = _idle.Pop();
            queue.Begin(s);
            Active.Add(s);
            Changes++;
            if (_heldCount == 0 || !Continue(s))
            {
                s.Leader = _leader;
                _leader ??= s;
            }

            if (queue.Next != request) Forget();
        }
    }

    /// <summary>Chooses the tokens of the next forward pass, at most <paramref name="budget"/>, and takes their pages.</summary>
    public void Choose(int budget)
    {
        while (true)
        {
            foreach (ActiveSequence s in Active) s.Chunk = 0;
            int tokens = ChooseDecoding();
            tokens += ChoosePrefill(budget - tokens);
            if (tokens > 0) return;
            // The first sequence waits for pages that later ones hold.
            if (!GiveUpLast(0)) throw new InvalidOperationException("the key-value cache is smaller than one longest sequence");
        }
    }

    /// <summary>
    /// Lets the samples that waited for the prompt of <paramref name="leader"/> share its full pages and copy the part-filled one (once the
    /// forward pass has written it). Writes those that draw their first token from its logits to <paramref name="drawing"/>.
    /// </summary>
    public int Follow(ActiveSequence leader, Span<ActiveSequence> drawing)
    {
        int count = 0, length = leader.Prompt.Length;
        if (leader.Generated > 0) return 0;
        foreach (ActiveSequence s in Active)
        {
            if (s.Leader != leader) continue;
            s.Leader = null;
            if (!Share(s, leader.Pages, length)) continue;
            (s.Stored, s.Prefills) = (length, false);
            drawing[count++] = s;
        }

        if (leader != _leader) return count;
        Forget();
        _heldCount = KvCache.PagesFor(length);
        for (int p = 0; p < _heldCount; p++) _cache.Share(_held[p] = leader.Pages[p]);
        return count;
    }

    /// <summary>Takes a sequence out of the batch.</summary>
    public void Retire(ActiveSequence sequence)
    {
        ReleasePages(sequence);
        Active.Remove(sequence);
        _idle.Push(sequence);
    }

    /// <summary>Takes everything out of the batch.</summary>
    public void Clear()
    {
        while (Active.Count > 0) Retire(Active[^1]);
        Forget();
        CopiesDone();
    }

    // Pages that a sequence needs soon. One that waits for a prompt will share it, but for the last page.
    private static int Promised(ActiveSequence s)
    {
        int tokens = s.Prompt.Length + s.Generated;
        return (s.Leader is null ? KvCache.PagesFor(tokens) - s.PageCount : 1) + Growth(tokens, s.Prompt.Length + s.MaxNewTokens);
    }

    // The next page that a sequence of so many tokens grows into, unless it has reached its last. The last token drawn is not stored.
    private static int Growth(int tokens, int longest) => KvCache.PagesFor(longest - 1) > KvCache.PagesFor(tokens) ? 1 : 0;

    // Goes on behind the held prompt. The logits of its last token are computed once more, in a page of the sample's own.
    private bool Continue(ActiveSequence s)
    {
        if (!Share(s, _held, s.Prompt.Length - 1)) return false;
        if (s.PageCount < _heldCount)
        {
            // The last token stands alone in its page.
            if (!TryTake(out int page))
            {
                ReleasePages(s);
                return false;
            }

            AddPage(s, page);
        }

        (s.Stored, s.Prefills) = (s.Prompt.Length - 1, false);
        return true;
    }

    // The pages of the first `length` tokens: full ones shared, a part-filled one copied.
    private bool Share(ActiveSequence s, ReadOnlySpan<int> pages, int length)
    {
        int full = length / IAttention.PageSize;
        if (length % IAttention.PageSize > 0)
        {
            // A page that is free, and not one that releasing the held prompt would free: that is where the copy comes from.
            if (!_cache.TryTake(out int page)) return false;
            (_copies[2 * _copyCount], _copies[(2 * _copyCount) + 1]) = (pages[full], page);
            _copyCount++;
            s.Pages[full] = page;
        }

        for (int p = 0; p < full; p++) _cache.Share(s.Pages[p] = pages[p]);
        s.PageCount = KvCache.PagesFor(length);
        Changes++;
        return true;
    }

    // One token of every sequence that decodes, the first to begin first.
    private int ChooseDecoding()
    {
        int tokens = 0;
        for (int i = 0; i < Active.Count; i++)
        {
            ActiveSequence s = Active[i];
            if (s.Leader is not null || s.Pending != 1) continue;
            if (s.PageCount * IAttention.PageSize == s.Stored)
            {
                int page;
                while (!TryTake(out page) && GiveUpLast(i)) { }
                if (page < 0)
                {
                    GiveUp(s);
                    continue;
                }

                AddPage(s, page);
            }

            s.Chunk = 1;
            tokens++;
        }

        return tokens;
    }

    private int ChoosePrefill(int budget)
    {
        int tokens = 0;
        foreach (ActiveSequence s in Active)
        {
            if (tokens == budget) break;
            if (s.Leader is not null || s.Pending <= 1) continue;
            // What gave its pages up a moment ago would only do so again.
            if (s.PageCount == 0 && s != Active[0] && !HasRoomFor(s)) break;
            int wanted = Math.Min(s.Pending, budget - tokens);
            while (s.PageCount < KvCache.PagesFor(s.Stored + wanted) && TryTake(out int page)) AddPage(s, page);
            s.Chunk = Math.Min(wanted, (s.PageCount * IAttention.PageSize) - s.Stored);
            tokens += s.Chunk;
            // What is left belongs to the one that began first.
            if (s.Chunk < wanted) break;
        }

        return tokens;
    }

    // Beside those that have begun.
    private bool HasRoomFor(ActiveSequence sequence)
    {
        int promised = Promised(sequence);
        foreach (ActiveSequence s in Active)
            if (s.PageCount > 0 || s.Leader is not null) promised += Promised(s);
        return promised <= _cache.FreePages;
    }

    // The held prompt goes first: it can be computed again, and no work is lost but its own.
    private bool TryTake(out int page)
    {
        if (_cache.TryTake(out page)) return true;
        ReleaseHeld();
        return _cache.TryTake(out page);
    }

    // The last sequence behind `index` that holds pages gives them up.
    private bool GiveUpLast(int index)
    {
        for (int i = Active.Count - 1; i > index; i--)
        {
            if (Active[i].PageCount == 0) continue;
            GiveUp(Active[i]);
            return true;
        }

        return false;
    }

    private void GiveUp(ActiveSequence s)
    {
        ReleasePages(s);
        (s.Stored, s.Chunk, s.Prefills) = (0, 0, true);
    }

    private void AddPage(ActiveSequence s, int page)
    {
        s.Pages[s.PageCount++] = page;
        Changes++;
    }

    private void ReleasePages(ActiveSequence s)
    {
        for (int p = 0; p < s.PageCount; p++) _cache.Release(s.Pages[p]);
        s.PageCount = 0;
        Changes++;
    }

    private void Forget()
    {
        ReleaseHeld();
        _leader = null;
    }

    private void ReleaseHeld()
    {
        for (int p = 0; p < _heldCount; p++) _cache.Release(_held[p]);
        _heldCount = 0;
    }
}
