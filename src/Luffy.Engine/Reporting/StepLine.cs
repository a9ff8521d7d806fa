using System.Globalization;
using System.Text;

namespace Luffy.Engine.Reporting;

/// <summary>One step as one line for people.</summary>
public static class StepLine
{
    /// <summary>
    /// Reward, entropy, lengths, tokens/s, share of the machine's peak, and the time of each phase with its share of the step; what
    /// the metrics do not hold is left out.
    /// </summary>
    public static string Format(StepMetrics metrics, int totalSteps)
    {
        var line = new StringBuilder();
        string total = totalSteps.ToString(CultureInfo.InvariantCulture);
        line.Append("step ").Append(metrics.Step.ToString(CultureInfo.InvariantCulture).PadLeft(total.Length)).Append('/').Append(total);
        if (metrics.Find("reward") is { } reward)
            line.Append(CultureInfo.InvariantCulture, $"  reward {reward:0.000}");
        if (metrics.Find("loss") is { } loss)
            line.Append(CultureInfo.InvariantCulture, $"  loss {loss:0.0000}");
        if (metrics.Find("entropy") is { } entropy)
            line.Append(CultureInfo.InvariantCulture, $"  entropy {entropy:0.000}");
        if (metrics.Find("completions/mean_length") is { } length)
        {
            line.Append(CultureInfo.InvariantCulture, $"  length {length:0}");
            if (metrics.Find("completions/max_length") is { } longest)
                line.Append(CultureInfo.InvariantCulture, $" (max {longest:0})");
        }
        if (metrics.Find("perf/tokens_per_second") is { } speed)
            line.Append(CultureInfo.InvariantCulture, $"  {speed:#,0} tok/s");
        if (metrics.Find("perf/percent_of_peak") is { } peak)
            line.Append(CultureInfo.InvariantCulture, $"  {peak:0}% of peak");
        if (metrics.Find(StepMetrics.StepTime) is { } seconds)
        {
            line.Append(CultureInfo.InvariantCulture, $"  {seconds:0.00} s");
            string phases = string.Join(", ", metrics.Phases.Where(p => p.Value > 0).Select(p =>
                string.Create(CultureInfo.InvariantCulture, $"{p.Key} {p.Value:0.00} {100 * p.Value / seconds:0}%")));
            if (phases.Length > 0)
                line.Append(" (").Append(phases).Append(')');
        }
        return line.ToString();
    }

    /// <summary>A duration as <c>12 s</c>, <c>3:05</c> or <c>1:02:03</c>.</summary>
    public static string FormatDuration(TimeSpan time)
    {
        if (time.TotalSeconds < 60)
            return $"{Math.Ceiling(time.TotalSeconds):0} s";
        return time.TotalHours < 1 ? $"{(int)time.TotalMinutes}:{time.Seconds:00}" : $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}";
    }
}
