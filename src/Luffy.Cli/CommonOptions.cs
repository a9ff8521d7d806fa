using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Luffy.Cli;

/// <summary>Options that several commands take and that mean the same in each.</summary>
internal static class CommonOptions
{
    public static JsonSerializerOptions JsonFormat { get; } = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Option<bool> Json { get; } = new("--json") { Description = "Print JSON" };

    public static Option<bool> Quiet { get; } = new("--quiet") { Description = "No progress, only warnings and results" };
}
