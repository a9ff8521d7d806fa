using Luffy.Engine.Checkpoint;
using Luffy.Engine.Reporting;
using ScottPlot;

namespace Luffy.Engine.Comparison;

/// <summary>Draws a comparison: each figure over the steps, a line a method and a band from its lowest seed to its highest, as PNG and SVG.</summary>
public static class ComparisonPlots
{
    /// <summary>The folder of the plots, within that of the results.</summary>
    public const string Folder = "plots";

    private const int Width = 1000, Height = 600, Window = 5;

    private static readonly (string File, string Title, string Axis, string Metric)[] Figures =
    [
        ("reward", "Reward of samples", "mean reward", "reward"),
        ("entropy", "Entropy", "nats a token", "entropy"),
        ("length", "Length of samples", "tokens", "completions/mean_length"),
        ("on-policy-logprob", "Log-prob of sampled tokens", "nats", "actor/on_policy_logprob"),
        ("off-policy-logprob", "Log-prob of demonstrations' tokens", "nats", "actor/off_policy_logprob"),
    ];

    /// <summary>Draws everything that the runs recorded.</summary>
    /// <param name="results">The runs.</param>
    /// <param name="output">The folder of the results.</param>
    /// <param name="console">Told where a machine lacks what drawing needs.</param>
    /// <returns>The plots' titles and files without their endings, relative to <paramref name="output"/>.</returns>
    /// <exception cref="LuffyException">They cannot be written.</exception>
    public static IReadOnlyList<(string Title, string File)> Draw(ComparisonResults results, string output, RunConsole console)
    {
        if (SkiaSharp.SKTypeface.Default.GetGlyph('a') == 0)
            console.Warn("this machine has no fonts, so that the plots have no text; install one (Debian, Ubuntu: apt-get install fonts-dejavu-core) and run this again: no run is made again");
        var drawn = new List<(string, string)>();
        Add("validation", "Accuracy in distribution on the validation split", "share of problems", CurveSet.Validation(results));
        foreach ((string file, string title, string axis, string metric) in Figures)
            Add(file, $"{title} (means of {Window} steps)", axis, [.. CurveSet.Metric(results, metric, Window).Where(c => !IsOfNoTokens(metric, c))]);
        return drawn;

        void Add(string file, string title, string axis, IReadOnlyList<Curve> curves)
        {
            if (curves.Count == 0) return;
            string path = Path.Combine(Folder, file);
            Save(curves, [.. results.Methods.Select(m => m.Name)], title, axis, Path.Combine(output, path));
            drawn.Add((title, path));
        }
    }

    // A step without such tokens reports a log-prob of 0, which a token cannot have.
    private static bool IsOfNoTokens(string metric, Curve curve) => metric.EndsWith("logprob", StringComparison.Ordinal) && Array.TrueForAll(curve.Mean, m => m == 0);

    private static void Save(IReadOnlyList<Curve> curves, List<string> methods, string title, string axis, string path)
    {
        using var plot = new Plot();
        var palette = new ScottPlot.Palettes.Category20();
        foreach (Curve curve in curves)
        {
            // A method has one colour in all plots of a comparison.
            int number = methods.IndexOf(curve.Method);
            // Strong colours before the pale ones.
            Color color = palette.GetColor(number % 20 < 10 ? 2 * (number % 20) : (2 * ((number % 20) - 10)) + 1);
            if (curve.Steps.Length > 1)
            {
                ScottPlot.Plottables.FillY band = plot.Add.FillY(curve.Steps, curve.Low, curve.High);
                band.FillColor = color.WithAlpha(0.15);
                band.LineWidth = 0;
            }
            ScottPlot.Plottables.Scatter line = plot.Add.Scatter(curve.Steps, curve.Mean, color);
            line.LineWidth = 2;
            line.MarkerSize = curve.Steps.Length > 30 ? 0 : 5;
            line.LinePattern = number < 20 ? LinePattern.Solid : LinePattern.Dashed;
            line.LegendText = curve.Method;
        }
        plot.Title(title);
        plot.XLabel("step");
        plot.YLabel(axis);
        plot.ShowLegend(Edge.Right);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.WriteAllText(path + ".svg", plot.GetSvgXml(Width, Height));
        AtomicFile.Write(path + ".png", stream => stream.Write(plot.GetImageBytes(Width, Height, ImageFormat.Png)));
    }
}
