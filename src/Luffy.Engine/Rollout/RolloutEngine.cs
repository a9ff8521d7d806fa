using System.Diagnostics;
using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>
/// Samples completions with continuous batching: as soon as a sequence ends, the next sample takes its place, and prompts are prefilled
/// while other rows decode. A prompt is prefilled once and its full pages are shared by its samples. Thanks to batch-invariant kernels and a
/// generator keyed by (seed, prompt, sample, position), what is sampled depends neither on the batch size nor on the order of events.
/// </summary>
public sealed class RolloutEngine : IDisposable
{
    private readonly IBackend _backend;
    private readonly TransformerModel _model;
    private readonly KvCache _cache;
    private readonly ActivationSet _activations;
    private readonly PagedKeys _keys;
    private readonly RolloutSchedule _schedule;
    private readonly ActiveSequence[] _drawing; // in the order of the rows of logits
    private readonly int[] _ids, _positions, _slots, _starts, _contexts, _pageTable, _outputs, _samplingKeys, _drawn;
    private readonly float[] _logProbs, _sampledLogProbs;
    // Of the schedule when the rows were laid out that the device has now; -1 where the next pass cannot go on with them.
    private long _changes;

    /// <summary>Prepares an engine in an arena that has room for <see cref="RolloutPlan.Activations"/>.</summary>
    public RolloutEngine(IBackend backend, TransformerModel model, DType dtype, RolloutPlan plan, DeviceBuffer arena)
    {
        (_backend, _model, Plan) = (backend, model, plan);
        _cache = new KvCache(backend, model.Config, dtype, plan.CachePages);
        _activations = new ActivationSet(plan.Activations(backend, model.Config, dtype), arena);
        _keys = new PagedKeys(backend, _cache, _activations);
        int batch = plan.Batch, tokens = plan.PrefillTokens, maxPages = _activations.Plan.PagesPerSequence;
        (_schedule, _drawing) = (new RolloutSchedule(_cache, plan, maxPages), new ActiveSequence[batch]);
        (_ids, _positions, _slots) = (new int[tokens], new int[tokens], new int[tokens]);
        (_starts, _contexts, _pageTable) = (new int[batch + 1], new int[batch], new int[batch * maxPages]);
        (_outputs, _samplingKeys, _drawn) = (new int[batch], new int[batch * 3], new int[batch]);
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
        _changes = -1;
        try
        {
            while (run.Queue.HasWaiting || _schedule.Active.Count > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                Step(run);
            }
        }
        finally
        {
            // After a cancellation the engine is whole again.
            _schedule.Clear();
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

    // One forward pass: a token of every row that decodes, and as much of the waiting prompts as the budget allows.
    private void Step(RunState run)
    {
        long begin = Stopwatch.GetTimestamp();
        _schedule.Admit(run.Queue);
        CopyPages();
        _schedule.Choose(Plan.PrefillTokens);
        int tokens = 0, sequences = 0, rows = 0, prompt = 0;
        foreach (ActiveSequence s in _schedule.Active)
        {
            if (s.Chunk == 0) continue;
            Place(s, sequences, tokens);
            if (s.Prefills) prompt += s.Chunk;
            sequences++;
            tokens += s.Chunk;
            if (!s.Draws) continue;
            s.Prefills = false;
            int first = rows;
            _drawing[rows++] = s;
            rows += _schedule.Follow(s, _drawing.AsSpan(rows));
            _outputs.AsSpan(first, rows - first).Fill(tokens - 1);
        }

        _starts[sequences] = tokens;
        // Most passes take one token of the same rows as the last.
        bool decodes = tokens == sequences && rows == sequences, laidOut = decodes && _changes == _schedule.Changes;
        _changes = decodes ? _schedule.Changes : -1;
        if (!laidOut) PlacePages();
        Forward(run, tokens, sequences, rows, laidOut);
        foreach (ActiveSequence s in _schedule.Active) s.Stored += s.Chunk;
        CopyPages();
        if (rows > 0) Draw(run, rows);
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        Counters += prompt > 0 ? new RolloutCounters(prompt, seconds, 0, 0, 0) : new RolloutCounters(0, 0, 1, rows, seconds);
    }

    private void Place(ActiveSequence s, int sequence, int start)
    {
        (_starts[sequence], _contexts[sequence]) = (start, s.Stored + s.Chunk);
        for (int i = 0; i < s.Chunk; i++)
        {
            int position = s.Stored + i;
            _ids[start + i] = s.Token(position);
            _positions[start + i] = position;
            _slots[start + i] = (s.Pages[position / IAttention.PageSize] * IAttention.PageSize) + (position % IAttention.PageSize);
        }
    }

    private void PlacePages()
    {
        int sequence = 0;
        foreach (ActiveSequence s in _schedule.Active)
            if (s.Chunk > 0) s.Pages.AsSpan(0, s.PageCount).CopyTo(_pageTable.AsSpan(sequence++ * _activations.Plan.PagesPerSequence));
    }

    private void CopyPages()
    {
        ReadOnlySpan<int> copies = _schedule.Copies;
        if (copies.Length == 0) return;
        Tensor pairs = _activations.PageCopies(copies.Length / 2);
        _backend.Upload(pairs, copies);
        _cache.CopyPages(pairs);
        _schedule.CopiesDone();
    }

    // Where the rows are those of the last pass, the device has their layout still.
    private void Forward(RunState run, int tokens, int sequences, int rows, bool laidOut)
    {
        ActivationSet a = _activations;
        a.SetSize(tokens, sequences, rows);
        _backend.Upload<int>(a.Ids, _ids.AsSpan(0, tokens));
        _backend.Upload<int>(a.Positions, _positions.AsSpan(0, tokens));
        _backend.Upload<int>(a.Slots, _slots.AsSpan(0, tokens));
        _backend.Upload<int>(a.ContextLengths, _contexts.AsSpan(0, sequences));
        if (!laidOut)
        {
            _backend.Upload<int>(a.SequenceStarts, _starts.AsSpan(0, sequences + 1));
            _backend.Upload<int>(a.PageTable, _pageTable.AsSpan(0, sequences * a.Plan.PagesPerSequence));
            if (rows > 0) _backend.Upload<int>(a.OutputIndices, _outputs.AsSpan(0, rows));
        }

        _model.Forward(run.Parameters, a, _keys);
        if (rows == 0) return;
        _model.GatherOutputs(a);
        _backend.Linear.Forward(a.Logits, a.OutputHidden, run.Parameters.Matrix(run.Parameters.Layout.Head));
    }

    // Draws the next token of the sequences whose logits are the rows of the last forward pass.
    private void Draw(RunState run, int rows)
    {
        for (int i = 0; i < rows; i++)
        {
            ActiveSequence s = _drawing[i];
            (_samplingKeys[3 * i], _samplingKeys[(3 * i) + 1], _samplingKeys[(3 * i) + 2]) = (s.PromptKey, s.Sample, s.Generated);
        }

        ActivationSet a = _activations;
        Tensor ids = a.Sampled(0, DType.I32), logProbs = a.Sampled(1, DType.F32), sampled = a.Sampled(2, DType.F32);
        _backend.Upload<int>(a.SamplingKeys, _samplingKeys.AsSpan(0, rows * 3));
        _backend.Sampling.Sample(ids, logProbs, sampled, a.Logits, a.SamplingKeys, run.Options.Sampling, a.Scratch);
        _backend.Download(ids, _drawn.AsSpan(0, rows));
        _backend.Download(logProbs, _logProbs.AsSpan(0, rows));
        _backend.Download(sampled, _sampledLogProbs.AsSpan(0, rows));

        for (int i = 0; i < rows; i++)
        {
            ActiveSequence s = _drawing[i];
            (s.Ids[s.Generated], s.LogProbs[s.Generated], s.SampledLogProbs[s.Generated]) = (_drawn[i], _logProbs[i], _sampledLogProbs[i]);
            s.Generated++;
            run.Observer?.Invoke(s.Request, s.Sample, _drawn[i]);
            bool stop = run.IsStop(_drawn[i]);
            if (!stop && s.Generated < s.MaxNewTokens) continue;
            run.OnCompletion(s.Complete(stop ? FinishReason.Stop : FinishReason.Length));
            _schedule.Retire(s);
        }
    }

    private sealed class RunState(ParameterSet parameters, IReadOnlyList<RolloutRequest> requests, GenerationOptions options, Action<Completion> onCompletion,
        TokenObserver? observer)
    {
        public ParameterSet Parameters => parameters;
        public GenerationOptions Options => options;
        public Action<Completion> OnCompletion => onCompletion;
        public TokenObserver? Observer => observer;
        public RolloutQueue Queue { get; } = new(requests, options);

        public bool IsStop(int id)
        {
            for (int i = 0; i < options.StopIds.Count; i++)
                if (options.StopIds[i] == id) return true;
            return false;
        }
    }
}
