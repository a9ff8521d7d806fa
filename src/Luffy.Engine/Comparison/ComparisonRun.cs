using Luffy.Engine.Checkpoint;
using Luffy.Engine.Configuration;
using Luffy.Engine.Data.Tasks;
using Luffy.Engine.Model;
using Luffy.Engine.Reporting;
using Luffy.Kernels;

namespace Luffy.Engine.Comparison;

/// <summary>What <c>compare</c> is asked for.</summary>
public sealed record ComparisonRequest
{
    /// <summary>The comparison that runs without a file.</summary>
    public const string Standard = "compare";

    /// <summary>The small one of the four main methods.</summary>
    public const string Quick = "compare-quick";

    /// <summary>A YAML file, or the name of a built-in recipe.</summary>
    public string ConfigPath { get; init; } = Standard;

    /// <summary>Replaces the file's methods; null keeps them.</summary>
    public IReadOnlyList<string>? Methods { get; init; }

    /// <summary>What was given on top.</summary>
    public IReadOnlyList<ConfigurationOverride> Overrides { get; init; } = [];

    /// <summary>Where everything is written; null for runs/NAME. Finished runs that are there are taken as they are.</summary>
    public string? Output { get; init; }

    /// <summary>The program that trains in processes of its own; null trains in this one.</summary>
    public string? Program { get; init; }

    /// <summary>What was typed, for the document.</summary>
    public string CommandLine { get; init; } = "luffy compare";
}

/// <summary>Trains methods × seeds on one budget, and writes what came of it.</summary>
public sealed class ComparisonRun
{
    // A model of up to this many parameters keeps one core busy, and several processes keep several.
    private const long SmallModel = 50_000_000;

    private readonly ComparisonRequest _request;

    private ComparisonRun(ComparisonRequest request, ComparisonPlan plan) => (_request, Plan) = (request, plan);

    /// <summary>What is trained.</summary>
    public ComparisonPlan Plan { get; }

    /// <summary>Where everything is written.</summary>
    public string Output => _request.Output ?? Path.Combine(RunDirectory.DefaultParent, Path.GetFileNameWithoutExtension(_request.ConfigPath));

    /// <summary>Reads the comparison; nothing is written yet.</summary>
    /// <exception cref="LuffyException">A key, value or method is wrong; the message says where.</exception>
    public static ComparisonRun Prepare(ComparisonRequest request) =>
        new(request, ComparisonPlan.Load(request.ConfigPath, request.Methods, request.Overrides));

    /// <summary>The runs that choose learning rates; none where nothing is chosen.</summary>
    public IReadOnlyList<ComparisonCell> TuningCells => Plan.Options.LearningRates is not { } rates ? [] :
        [.. Plan.Methods.SelectMany(m => rates.Select(r => new ComparisonCell(m, Plan.Options.TuningSeed, r,
            Path.Combine(Output, "tuning", m, $"{ConfigurationWriter.Format(r)}"), Plan.ConfigureTuning(m, r))))];

    /// <summary>The runs that are reported, the first seed of every method first.</summary>
    /// <param name="chosen">The learning rate of each method; without one the recipe's.</param>
    public IReadOnlyList<ComparisonCell> Cells(IReadOnlyDictionary<string, double> chosen) =>
        [.. Plan.Methods.SelectMany((m, order) => Plan.SeedsOf(m).Select((seed, i) => (m, seed, i, order))).OrderBy(c => c.i).ThenBy(c => c.order)
            .Select(c => new ComparisonCell(c.m, c.seed, null, Path.Combine(Output, "cells", c.m, $"seed-{c.seed}"),
                Plan.Configure(c.m, c.seed, chosen.TryGetValue(c.m, out double rate) ? rate : null)))];

    /// <summary>The runs of the ablations, in the order of their values; one that the comparison has already is taken from there.</summary>
    /// <param name="chosen">The learning rate of each method.</param>
    /// <param name="reported">The runs that are reported.</param>
    public IReadOnlyList<(Ablation Ablation, string Value, ComparisonCell Cell)> AblationCells(IReadOnlyDictionary<string, double> chosen, IReadOnlyList<ComparisonCell> reported) =>
        [.. Plan.Ablations.SelectMany(a => a.Values.SelectMany(value => Plan.SeedsOf(a.Method).Take(a.Seeds ?? int.MaxValue).Select(seed =>
        {
            TrainingConfiguration training = Plan.ConfigureAblation(a, value, seed, chosen.TryGetValue(a.Method, out double rate) ? rate : null);
            return (a, value, reported.FirstOrDefault(c => c.IsOf(training))
                ?? new ComparisonCell($"{a.Method} with {a.Key} {value}", seed, null, Path.Combine(Output, "ablations", a.Name, value, $"seed-{seed}"), training));
        })))];

    /// <summary>The run that measures the model before training.</summary>
    public ComparisonCell BaseCell => new(ComparisonMethod.Base, Plan.Options.FirstSeed, null, Path.Combine(Output, "cells", ComparisonMethod.Base), Plan.ConfigureBase(Plan.Options.FirstSeed));

    /// <summary>Trains what is missing, and collects all.</summary>
    /// <param name="console">Where progress is told.</param>
    /// <param name="cancellation">Lets running cells save, and ends with <see cref="OperationCanceledException"/>; called again it goes on.</param>
    /// <exception cref="LuffyException">A run that is there has another configuration, or a run failed.</exception>
    public ComparisonResults Execute(RunConsole console, CancellationToken cancellation)
    {
        foreach (ComparisonCell cell in TuningCells.Append(BaseCell)) cell.RequireSameConfiguration();
        if (TuningCells.Count == 0) RequireSame(Cells(NoChoice));
        (int jobs, int threads) = Parallelism();
        var queue = new CellQueue(_request.Program is { } program ? new ProcessCellRunner(program) : new InProcessCellRunner(), jobs, threads, console);
        queue.Run("tuning learning rates", TuningCells, c => $"{Validation(c):P1} in distribution on the validation split", cancellation);
        TuningResult[] tuning = [.. TuningCells.GroupBy(c => c.Method).Select(g => Choose(g.Key, [.. g]))];
        Dictionary<string, double> chosen = tuning.ToDictionary(t => t.Method, t => t.Chosen);
        IReadOnlyList<ComparisonCell> cells = [BaseCell, .. Cells(chosen)];
        var ablations = AblationCells(chosen, cells);
        RequireSame(cells.Concat(ablations.Select(a => a.Cell)));
        queue.Run("comparing", cells, c => string.Join(", ", RunSummary.Load(c.Run.Summary).AccuracyAfter!.Where(f => f.Key.EndsWith("_mean", StringComparison.Ordinal)).Select(f => $"{f.Key} {f.Value:P1}")), cancellation);
        queue.Run("ablations", [.. ablations.Select(a => a.Cell).DistinctBy(c => c.Folder)], c => $"{Validation(c):P1} in distribution on the validation split", cancellation);
        return Measure(Collect(cells, tuning, ablations), cells, console, cancellation);
    }

    private ComparisonResults Measure(ComparisonResults results, IReadOnlyList<ComparisonCell> cells, RunConsole console, CancellationToken cancellation)
    {
        PassAtKResult[] passAtK = Plan.PassAtK is not { } asked ? [] : [.. asked.Methods.SelectMany(m => asked.Temperatures.SelectMany(t => ComparisonMeasurements.PassAtK(
            m, results.Methods.First(r => r.Name == m).Runs[0], cells.First(c => c.Method == m).Training, t, asked.Samples, console, cancellation)))];
        return results with { PassAtK = passAtK, Similarity = ComparisonMeasurements.Similarity(results, cells[1].Training) };
    }

    /// <summary>Writes results.md, results.json and plots/.</summary>
    /// <param name="results">What came of it.</param>
    /// <param name="console">Told what the plots lack.</param>
    /// <returns>The Markdown text and the JSON text.</returns>
    /// <exception cref="LuffyException">They cannot be written.</exception>
    public (string Markdown, string Json) Write(ComparisonResults results, RunConsole console)
    {
        ComparisonOrigin origin = ComparisonOrigin.Here(_request.CommandLine);
        (string markdown, string json) = (ComparisonDocument.ToMarkdown(results, Plan, origin, ComparisonPlots.Draw(results, Output, console)), ComparisonDocument.ToJson(results, Plan, origin));
        AtomicFile.WriteAllText(Path.Combine(Output, "results.md"), markdown);
        AtomicFile.WriteAllText(Path.Combine(Output, "results.json"), json);
        return (markdown, json);
    }

    /// <summary>What would be trained: a line a run, with its directory.</summary>
    public IEnumerable<string> Describe() => TuningCells.Append(BaseCell).Concat(Cells(NoChoice))
        .Select(c => $"{c.Title}: {c.Folder}{(c.IsFinished ? " (finished)" : c.IsBegun ? " (begun)" : "")}");

    private static IReadOnlyDictionary<string, double> NoChoice { get; } = new Dictionary<string, double>();

    private static void RequireSame(IEnumerable<ComparisonCell> cells)
    {
        foreach (ComparisonCell cell in cells) cell.RequireSameConfiguration();
    }

    private (int Jobs, int Threads) Parallelism()
    {
        int cores = Environment.ProcessorCount, jobs = Plan.Options.Jobs;
        TrainingConfiguration any = BaseCell.Training;
        if (_request.Program is null) return (1, any.Model.Threads);
        if (jobs == 0)
        {
            using IBackend backend = EngineBackend.Open(any.Model.Backend, 1, any.Model.AllowEmulator, any.Model.Fast);
            bool small = new ParameterLayout(TransformerConfig.Load(ModelDirectory.Resolve(any.Model.ModelNameOrPath))).ParameterCount <= SmallModel;
            jobs = small && backend.Name is "cpu" or "reference" ? cores : 1;
        }
        return (jobs, any.Model.Threads > 0 ? any.Model.Threads : jobs == 1 ? 0 : Math.Max(1, cores / jobs));
    }

    private double Validation(ComparisonCell cell)
    {
        RunSummary summary = RunSummary.Load(cell.Run.Summary);
        OrderedDictionary<string, double> accuracy = (Plan.Options.Measure == ComparisonMeasure.Greedy ? summary.AccuracyValidation : summary.AvgAtKValidation)
            ?? throw new LuffyException($"{cell.Folder} was not measured on a validation split, by which a learning rate is chosen; set eval_dataset_name, or eval_samples for measure: average.");
        return accuracy[FamilyAccuracy.InDistributionMean];
    }

    // The smaller rate among equals.
    private TuningResult Choose(string method, ComparisonCell[] cells)
    {
        (double Rate, double Accuracy)[] grid = [.. cells.Select(c => (c.LearningRate!.Value, Validation(c)))];
        return new TuningResult(method, grid, grid.OrderByDescending(g => g.Accuracy).ThenBy(g => g.Rate).First().Rate);
    }

    private ComparisonResults Collect(IReadOnlyList<ComparisonCell> cells, TuningResult[] tuning, IReadOnlyList<(Ablation Ablation, string Value, ComparisonCell Cell)> ablations)
    {
        TestProblems? problems = null;
        RunResult Load(ComparisonCell cell)
        {
            string file = cell.Run.Problems("test", after: true);
            IReadOnlyList<ProblemRecord> records = EvaluationLog.Read<ProblemRecord>(file);
            problems ??= TestProblems.Of(records);
            return new RunResult(cell.Seed, RunSummary.Load(cell.Run.Summary), problems.Scores(records, Plan.Options.Measure, file), cell.Run);
        }

        RunResult before = Load(cells[0]);
        MethodResult[] methods = [.. Plan.Methods.Select(m =>
        {
            ComparisonCell[] own = [.. cells.Where(c => c.Method == m)];
            return new MethodResult(m, own[0].Training.Optimizer.LearningRate, [.. own.Select(Load)]);
        })];
        AblationResult[] ablated = [.. ablations.GroupBy(a => a.Ablation).Select(g => new AblationResult(g.Key,
            [.. g.GroupBy(a => a.Value).Select(v => new MethodResult(v.Key, v.First().Cell.Training.Optimizer.LearningRate, [.. v.Select(a => Load(a.Cell))]))]))];
        return new ComparisonResults
        {
            Ablations = ablated,
            Problems = problems!, Base = before, Methods = methods, Tuning = tuning, Baselines = Plan.Options.Baselines, BootstrapDraws = Plan.Options.BootstrapDraws,
        };
    }
}
