using System.Diagnostics;
using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>
/// Samples completions with continuous batching: as soon as a sequence ends, the next sample takes its place, so that no row idles while
/// one waits. A prompt is prefilled once, for as many of its samples as find a place; its pages are held until the others have started
/// too. Such a late sample shares the pages before the prompt's last token and decodes that token again, for its first logits. Thanks to
/// batch-invariant kernels and a generator keyed by (seed, prompt, sample, position), what is sampled depends neither on the batch size
/// nor on the order of events.
/// </summary>
public sealed class RolloutEngine : IDisposable
{
    private readonly IBackend _backend;
    private readonly TransformerModel _model;
    private readonly KvCache _cache;
    private readonly ActivationSet _activations;
    private readonly PagedKeys _keys;
    private readonly HeldPrompt _held;
    private readonly Stack<ActiveSequence> _idle = new();
    private readonly List<ActiveSequence> _active;
    private readonly int[] _ids, _positions, _slots, _starts, _contexts, _pageTable, _outputs, _samplingKeys, _drawn, _copies;
    private readonly float[] _logProbs, _sampledLogProbs;
    // True where the device's page table is not that of the active sequences as they stand.
    private bool _rowsChanged;

    /// <summary>Prepares an engine in an arena that has room for <see cref="RolloutPlan.Activations"/>.</summary>
    public RolloutEngine(IBackend backend, TransformerModel model, DType dtype, RolloutPlan plan, DeviceBuffer arena)
    {
        (_backend, _model, Plan) = (backend, model, plan);
        _cache = new KvCache(backend, model.Config, dtype, plan.CachePages);
        _activations = new ActivationSet(plan.Activations(backend, model.Config, dtype), arena);
        _keys = new PagedKeys(backend, _cache, _activations);
        int batch = plan.Batch, tokens = plan.PrefillTokens, maxPages = _activations.Plan.PagesPerSequence;
        _held = new HeldPrompt(_cache, maxPages);
        _active = new List<ActiveSequence>(batch);
        for (int i = 0; i < batch; i++) _idle.Push(new ActiveSequence(maxPages, plan.MaxNewTokens));
        (_ids, _positions, _slots) = (new int[tokens], new int[tokens], new int[tokens]);
        (_starts, _contexts, _pageTable) = (new int[batch + 1], new int[batch], new int[batch * maxPages]);
        (_outputs, _samplingKeys, _drawn, _copies) = (new int[batch], new int[batch * 3], new int[batch], new int[batch * 2]);
        (_logProbs, _sampledLogProbs) = (new float[batch], new float[batch]);
    }

    /// <summary>Sizes.</summary>
    public RolloutPlan Plan { get; }

    /// <summary>What it has done so far.</summary>
    public RolloutCounters Counters { get; private set; }

    /// <summary>Samples all requests.</summary>
    /// <param name="parameters">The weights.</param>
    /// <param name="requests">Prompts; indices into this list come back in the completions.</param>
    /// <param name="options">How to sample.</param>
    /// <param name="onCompletion">Receives each completion as it ends, in an order that depends on their lengths.</param>
    /// <param name="observer">Receives each token as it is drawn.</param>
    /// <param name="cancellation">Checked between decoding steps.</param>
    public void Run(ParameterSet parameters, IReadOnlyList<RolloutRequest> requests, GenerationOptions options, Action<Completion> onCompletion,
        TokenObserver? observer = null, CancellationToken cancellation = default)
    {
        foreach (RolloutRequest r in requests) Check(r, options);
        var run = new RunState(parameters, requests, options, onCompletion, observer);
        // Updates use the arena between two runs.
        _rowsChanged = true;
        try
        {
            while (run.HasWaiting || _active.Count > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                long begin = Stopwatch.GetTimestamp();
                int prefilled = 0;
                // Again where a first token ends its completion at once.
                while (run.HasWaiting && _idle.Count > 0) prefilled += Admit(run);
                int rows = _active.Count;
                long admitted = prefilled > 0 ? Stopwatch.GetTimestamp() : begin;
                if (rows > 0) Decode(run);
                Counters = new RolloutCounters(Counters.PrefillTokens + prefilled,
                    Counters.PrefillSeconds + (prefilled > 0 ? Stopwatch.GetElapsedTime(begin, admitted).TotalSeconds : 0),
                    Counters.DecodeSteps + Math.Min(rows, 1), Counters.DecodeTokens + rows,
                    Counters.DecodeSeconds + Stopwatch.GetElapsedTime(admitted).TotalSeconds);
            }
        }
        finally
        {
            // After a cancellation the engine is whole again.
            for (int i = _active.Count - 1; i >= 0; i--) Retire(i);
            _held.Release();
        }
    }

    /// <summary>All completions, ordered by request and sample.</summary>
    public IReadOnlyList<Completion> Run(ParameterSet parameters, IReadOnlyList<RolloutRequest> requests, GenerationOptions options,
        CancellationToken cancellation = default)
    {
        var completions = new List<Completion>();
        Run(parameters, requests, options, completions.Add, null, cancellation);
        completions.Sort((a, b) => a.Request != b.Request ? a.Request.CompareTo(b.Request) : a.Sample.CompareTo(b.Sample));
        return completions;
    }

    /// <inheritdoc/>
    public void Dispose() => _cache.Dispose();

    private void Check(RolloutRequest request, GenerationOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(request.Samples, 1);
        int limit = LimitOf(request, options);
        if (request.PromptIds.Length == 0) throw new LuffyException("a prompt without tokens cannot be completed; give at least one token");
        if (request.PromptIds.Length > Plan.MaxPromptTokens || limit < 1 || limit > Plan.MaxNewTokens)
        {
            throw new LuffyException($"a prompt of {request.PromptIds.Length} tokens with {limit} new tokens does not fit the rollout plan of " +
                $"{Plan.MaxPromptTokens} and {Plan.MaxNewTokens}; raise max_prompt_length or max_completion_length");
        }

        int vocabulary = _model.Config.VocabularySize;
        foreach (int id in request.PromptIds)
        {
            if ((uint)id >= (uint)vocabulary)
                throw new LuffyException($"prompt id {id} is outside the model's vocabulary of {vocabulary}; tokenizer and model do not belong together");
        }
    }

    private static int LimitOf(RolloutRequest request, GenerationOptions options) => request.MaxNewTokens > 0 ? request.MaxNewTokens : options.MaxNewTokens;

    // Gives idle rows to waiting samples: first to those of the prompt that is held, then to as many further prompts as rows and the prefill
    // budget allow, whose samples draw their first token here. Returns how many prompt tokens went through the model.
    private int Admit(RunState run)
    {
        _rowsChanged = true;
        if (_held.IsHeld) StartLate(run);
        int tokens = 0, sequences = 0, copies = 0, maxPages = _activations.Plan.PagesPerSequence, firstNew = _active.Count;
        while (run.HasWaiting && _idle.Count > 0)
        {
            RolloutRequest request = run.Requests[run.Next];
            int length = request.PromptIds.Length;
            if (tokens + length > Plan.PrefillTokens) break;
            _held.Take(length);
            _held.Pages.CopyTo(_pageTable.AsSpan(sequences * maxPages));
            _starts[sequences] = tokens;
            _contexts[sequences] = length;
            for (int i = 0; i < length; i++)
            {
                _ids[tokens + i] = request.PromptIds[i];
                _positions[tokens + i] = i;
                _slots[tokens + i] = Slot(_held.Pages, i);
            }

            int count = Math.Min(request.Samples - run.NextSample, _idle.Count);
            for (int n = 0; n < count; n++)
            {
                _outputs[_active.Count - firstNew] = tokens + length - 1;
                ActiveSequence s = Start(run);
                // The prompt's last, part-filled page is written once and then copied: each sample goes on in its own.
                bool copy = n > 0 && length % IAttention.PageSize != 0;
                _held.ShareWith(s, copy ? _held.Pages.Length - 1 : _held.Pages.Length);
                if (copy) CopyLastPage(s, copies++);
            }

            tokens += length;
            sequences++;
            if (run.NextSample == 0) _held.Release();
        }

        if (sequences == 0) return 0;
        int rows = _active.Count - firstNew;
        _starts[sequences] = tokens;
        Forward(run, tokens, sequences, rows, rowsChanged: true);
        CopyPages(copies);
        Draw(run, firstNew, rows);
        return tokens;
    }

    // Samples of the held prompt join the next decoding step with the prompt's last token. They share the pages before it; its own page they
    // copy even where it is full, because they write that token again.
    private void StartLate(RunState run)
    {
        int copies = 0;
        while (_held.IsHeld && _idle.Count > 0)
        {
            ActiveSequence s = Start(run);
            _held.ShareWith(s, _held.Pages.Length - 1);
            CopyLastPage(s, copies++);
            if (run.NextSample == 0) _held.Release();
        }

        CopyPages(copies);
    }

    private ActiveSequence Start(RunState run)
    {
        RolloutRequest request = run.Requests[run.Next];
        ActiveSequence s = _idle.Pop();
        (s.Request, s.Sample, s.PromptKey) = (run.Next, request.FirstSample + run.NextSample, request.PromptKey);
        (s.PromptLength, s.MaxNewTokens, s.Generated) = (request.PromptIds.Length, LimitOf(request, run.Options), 0);
        s.LastId = request.PromptIds[^1];
        _active.Add(s);
        run.TookSample();
        return s;
    }

    private void CopyLastPage(ActiveSequence s, int index)
    {
        int own = s.Pages[s.PageCount++] = _cache.Take();
        (_copies[2 * index], _copies[(2 * index) + 1]) = (_held.Pages[^1], own);
    }

    private void CopyPages(int copies)
    {
        if (copies == 0) return;
        Tensor pairs = _activations.PageCopies(copies);
        _backend.Upload<int>(pairs, _copies.AsSpan(0, copies * 2));
        _cache.CopyPages(pairs);
    }

    private void Decode(RunState run)
    {
        int rows = _active.Count, maxPages = _activations.Plan.PagesPerSequence;
        for (int i = 0; i < rows; i++)
        {
            ActiveSequence s = _active[i];
            int position = s.PromptLength + s.Generated - 1;
            if (position / IAttention.PageSize == s.PageCount)
            {
                s.Pages[s.PageCount++] = _cache.Take();
                _rowsChanged = true;
            }

            _ids[i] = s.LastId;
            _positions[i] = position;
            _slots[i] = Slot(s.Pages, position);
            _contexts[i] = position + 1;
        }

        if (_rowsChanged)
        {
            for (int i = 0; i < rows; i++)
            {
                (_starts[i], _outputs[i]) = (i, i);
                _active[i].Pages.AsSpan(0, _active[i].PageCount).CopyTo(_pageTable.AsSpan(i * maxPages));
            }

            _starts[rows] = rows;
        }

        Forward(run, rows, rows, rows, _rowsChanged);
        _rowsChanged = false;
        Draw(run, 0, rows);
    }

    private static int Slot(ReadOnlySpan<int> pages, int position) =>
        (pages[position / IAttention.PageSize] * IAttention.PageSize) + (position % IAttention.PageSize);

    // Where the rows are those of the last step, the device has their layout still.
    private void Forward(RunState run, int tokens, int sequences, int rows, bool rowsChanged)
    {
        ActivationSet a = _activations;
        a.SetSize(tokens, sequences, rows);
        _backend.Upload<int>(a.Ids, _ids.AsSpan(0, tokens));
        _backend.Upload<int>(a.Positions, _positions.AsSpan(0, tokens));
        _backend.Upload<int>(a.Slots, _slots.AsSpan(0, tokens));
        _backend.Upload<int>(a.ContextLengths, _contexts.AsSpan(0, sequences));
        if (rowsChanged)
        {
            _backend.Upload<int>(a.SequenceStarts, _starts.AsSpan(0, sequences + 1));
            _backend.Upload<int>(a.PageTable, _pageTable.AsSpan(0, sequences * a.Plan.PagesPerSequence));
            _backend.Upload<int>(a.OutputIndices, _outputs.AsSpan(0, rows));
        }

        _model.Forward(run.Parameters, a, _keys);
        _model.GatherOutputs(a);
        _backend.Linear.Forward(a.Logits, a.OutputHidden, run.Parameters.Matrix(run.Parameters.Layout.Head));
    }

    // Draws the next token of the active sequences from `first` on, whose logits are the rows of the last forward pass.
    private void Draw(RunState run, int first, int rows)
    {
        for (int i = 0; i < rows; i++)
        {
            ActiveSequence s = _active[first + i];
            (_samplingKeys[3 * i], _samplingKeys[(3 * i) + 1], _samplingKeys[(3 * i) + 2]) = (s.PromptKey, s.Sample, s.Generated);
        }

        ActivationSet a = _activations;
        Tensor ids = a.Sampled(0, DType.I32), logProbs = a.Sampled(1, DType.F32), sampled = a.Sampled(2, DType.F32);
        _backend.Upload<int>(a.SamplingKeys, _samplingKeys.AsSpan(0, rows * 3));
        _backend.Sampling.Sample(ids, logProbs, sampled, a.Logits, a.SamplingKeys, run.Options.Sampling, a.Scratch);
        _backend.Download(ids, _drawn.AsSpan(0, rows));
        _backend.Download(logProbs, _logProbs.AsSpan(0, rows));
        _backend.Download(sampled, _sampledLogProbs.AsSpan(0, rows));

        // Downwards, because the last active sequence takes the place of one that retires.
        for (int i = rows - 1; i >= 0; i--)
        {
            ActiveSequence s = _active[first + i];
            (s.Ids[s.Generated], s.LogProbs[s.Generated], s.SampledLogProbs[s.Generated]) = (_drawn[i], _logProbs[i], _sampledLogProbs[i]);
            s.Generated++;
            s.LastId = _drawn[i];
            run.Observer?.Invoke(s.Request, s.Sample, _drawn[i]);
            bool stop = run.IsStop(_drawn[i]);
            if (!stop && s.Generated < s.MaxNewTokens) continue;
            run.OnCompletion(s.Complete(stop ? FinishReason.Stop : FinishReason.Length));
            Retire(first + i);
        }
    }

    private void Retire(int index)
    {
        ActiveSequence s = _active[index];
        for (int p = 0; p < s.PageCount; p++) _cache.Release(s.Pages[p]);
        _active[index] = _active[^1];
        _active.RemoveAt(_active.Count - 1);
        _idle.Push(s);
        _rowsChanged = true;
    }

    private sealed class RunState(ParameterSet parameters, IReadOnlyList<RolloutRequest> requests, GenerationOptions options, Action<Completion> onCompletion,
        TokenObserver? observer)
    {
        public ParameterSet Parameters => parameters;
        public IReadOnlyList<RolloutRequest> Requests => requests;
        public GenerationOptions Options => options;
        public Action<Completion> OnCompletion => onCompletion;
        public TokenObserver? Observer => observer;
        public int Next { get; private set; }
        public int NextSample { get; private set; }
        public bool HasWaiting => Next < requests.Count;

        public void TookSample()
        {
            if (++NextSample < requests[Next].Samples) return;
            (Next, NextSample) = (Next + 1, 0);
        }

        public bool IsStop(int id)
        {
            for (int i = 0; i < options.StopIds.Count; i++)
                if (options.StopIds[i] == id) return true;
            return false;
        }
    }
}
