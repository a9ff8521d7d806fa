using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Luffy.Benchmarks;

// Usage: dotnet run -c Release --project perf/Luffy.Benchmarks -- --filter '*Linear*'      (--list flat names them all; --job dry tries them)
IConfig config = ManualConfig.CreateEmpty()
    .AddLogger(ConsoleLogger.Default)
    .AddExporter(MarkdownExporter.GitHub)
    .AddColumnProvider(DefaultColumnProviders.Params, DefaultColumnProviders.Statistics)
    .AddColumn(RateColumn.All(new MachineLimits()))
    .WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(80))
    .WithOption(ConfigOptions.DisableLogFile, true);
// In this process: what is measured is native code, which no setting of the runtime changes.
string[] arguments = [.. args, "--inProcess", .. args.Contains("--job") || args.Contains("-j") ? [] : (string[])["--job", "short"]];
var summaries = BenchmarkSwitcher.FromAssembly(typeof(OperationBenchmarks).Assembly).Run(arguments, config).ToArray();
return summaries.Any(s => s.HasCriticalValidationErrors || s.Reports.Any(r => !r.Success)) ? 1 : 0;
