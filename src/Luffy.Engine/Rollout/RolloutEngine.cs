using System.Diagnostics;
using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>
/// Samples completions with continuous batching: as soon as a sequence ends, the next prompt takes its place. A prompt is prefilled once
/// and its full pages are shared by its samples. Thanks to batch-invariant kernels and a generator keyed by (seed, prompt, sample,
/// position), what is sampled depends neither on the batch size nor on the order of events.
/// </summary>
public sealed class RolloutEngine : IDisposable
{
    private readonly IBackend _backend;
    private readonly TransformerModel _model;
    private readonly KvCache _cache;
    private readonly ActivationSet _activations;
    private readonly PagedKeys _keys;
    private readonly Stack<ActiveSequence> _idle = new();
    private readonly List<ActiveSequence> _active;
    private readonly int[] _ids, _positions, _slots, _starts, _contexts, _pageTable, _outputs, _samplingKeys, _drawn, _copies;
    private readonly float[] _logProbs, _sampledLogProbs;

    /// <summary>Prepares an engine in an arena that has room for <see cref="RolloutPlan.Activations"/>.</summary>
    public RolloutEngine(IBackend backend, TransformerModel model, DType dtype, RolloutPlan plan, DeviceBuffer arena)
    {
        (_backend, _model, Plan) = (backend, model, plan);
        _cache = new KvCache(backend, model.Config, dtype, plan.CachePages);
        _activations = new ActivationSet(plan.Activations(backend, model.Config, dtype), arena);
        _keys = new PagedKeys(backend, _cache, _activations);
        int batch = plan.Batch, tokens = plan.PrefillTokens, maxPages = _activations.Plan.PagesPerSequence;
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
        try
        {
            while (run.HasWaiting || _active.Count > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                long begin = Stopwatch.GetTimestamp();
                int prefilled = Admit(run), rows = _active.Count;
                long admitted = Stopwatch.GetTimestamp();
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
        int limit = request.MaxNewTokens > 0 ? request.MaxNewTokens : options.MaxNewTokens;
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

    // Prefills as many waiting prompts as idle rows and the prefill budget allow; draws the first token of each of their samples.
    // Returns how many prompt tokens.
    private int Admit(RunState run)
    {
        if (!run.HasWaiting) return 0;
        int tokens = 0, sequences = 0, rows = 0, copies = 0, maxPages = _activations.Plan.PagesPerSequence;
        int firstNew = _active.Count;
        while (run.HasWaiting && sequences < Plan.Batch)
        {
            RolloutRequest request = run.Requests[run.Next];
            int length = request.PromptIds.Length, limit = request.MaxNewTokens > 0 ? request.MaxNewTokens : run.Options.MaxNewTokens;
            int shared = length / IAttention.PageSize;
            // A group enters whole, so that its prompt is prefilled once; only one larger than the batch is cut.
            int count = Math.Min(request.Samples - run.NextSample, Plan.Batch);
            if (count > _idle.Count || tokens + length > Plan.PrefillTokens) break;

            var prompt = new ActiveSequence[count];
            for (int n = 0; n < count; n++)
            {
                ActiveSequence s = _idle.Pop();
                (s.Request, s.Sample, s.PromptKey) = (run.Next, request.FirstSample + run.NextSample + n, request.PromptKey);
                (s.PromptLength, s.MaxNewTokens, s.Generated, s.PageCount) = (length, limit, 0, 0);
                prompt[n] = s;
            }

            int promptPages = KvCache.PagesFor(length);
            for (int page = 0; page < promptPages; page++)
            {
                bool full = page < shared;
                int first = _cache.Take();
                for (int n = 0; n < count; n++)
                {
                    int own = n == 0 ? first : full ? Shared(first) : _cache.Take();
                    prompt[n].Pages[prompt[n].PageCount++] = own;
                    // The prompt's last, part-filled page is written once and then copied: each sample goes on in its own.
                    if (own != first) (_copies[2 * copies], _copies[(2 * copies++) + 1]) = (first, own);
                }

                _pageTable[(sequences * maxPages) + page] = first;
            }

            _starts[sequences] = tokens;
            _contexts[sequences] = length;
            for (int i = 0; i < length; i++)
            {
                _ids[tokens + i] = request.PromptIds[i];
                _positions[tokens + i] = i;
                _slots[tokens + i] = (_pageTable[(sequences * maxPages) + (i / IAttention.PageSize)] * IAttention.PageSize) + (i % IAttention.PageSize);
            }

            for (int n = 0; n < count; n++)
            {
                _outputs[rows++] = tokens + length - 1;
                _active.Add(prompt[n]);
            }

            tokens += length;
            sequences++;
            run.Took(count);
        }

        if (sequences == 0)
        {
            if (_active.Count == 0) throw new InvalidOperationException("no sequence is active, and the next prompt cannot be admitted");
            return 0;
        }

        _starts[sequences] = tokens;
        Forward(run, tokens, sequences, rows);
        if (copies > 0)
        {
            Tensor pairs = _activations.PageCopies(copies);
            _backend.Upload<int>(pairs, _copies.AsSpan(0, copies * 2));
            _cache.CopyPages(pairs);
        }

        Draw(run, firstNew, rows);
        return tokens;
    }

    private void Decode(RunState run)
    {
        int rows = _active.Count, maxPages = _activations.Plan.PagesPerSequence;
        for (int i = 0; i < rows; i++)
        {
            ActiveSequence s = _active[i];
            int position = s.PromptLength + s.Generated - 1;
            if (position / IAttention.PageSize == s.PageCount) s.Pages[s.PageCount++] = _cache.Take();
            _ids[i] = s.Ids[s.Generated - 1];
            _positions[i] = position;
            _slots[i] = (s.Pages[position / IAttention.PageSize] * IAttention.PageSize) + (position % IAttention.PageSize);
            _starts[i] = i;
            _contexts[i] = position + 1;
            _outputs[i] = i;
            s.Pages.AsSpan(0, s.PageCount).CopyTo(_pageTable.AsSpan(i * maxPages));
        }

        _starts[rows] = rows;
        Forward(run, rows, rows, rows);
        Draw(run, 0, rows);
    }

    private void Forward(RunState run, int tokens, int sequences, int rows)
    {
        ActivationSet a = _activations;
        a.SetSize(tokens, sequences, rows);
        _backend.Upload<int>(a.Ids, _ids.AsSpan(0, tokens));
        _backend.Upload<int>(a.Positions, _positions.AsSpan(0, tokens));
        _backend.Upload<int>(a.Slots, _slots.AsSpan(0, tokens));
        _backend.Upload<int>(a.SequenceStarts, _starts.AsSpan(0, sequences + 1));
        _backend.Upload<int>(a.ContextLengths, _contexts.AsSpan(0, sequences));
        _backend.Upload<int>(a.PageTable, _pageTable.AsSpan(0, sequences * a.Plan.PagesPerSequence));
        _backend.Upload<int>(a.OutputIndices, _outputs.AsSpan(0, rows));
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
    }

    private int Shared(int page)
    {
        _cache.Share(page);
        return page;
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

        public void Took(int samples)
        {
            NextSample += samples;
            if (NextSample < requests[Next].Samples) return;
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
