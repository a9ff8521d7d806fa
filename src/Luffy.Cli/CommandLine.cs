using System.CommandLine;
using System.CommandLine.Help;
using Luffy.Cli.Commands;
using Luffy.Engine;
using Luffy.Kernels;

namespace Luffy.Cli;

/// <summary>Parses arguments, runs a command, and turns whatever happens into an exit code and at most one sentence.</summary>
internal static class CommandLine
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUsage = 2;
    public const int Interrupted = 130;

    /// <summary>Set to 1 to see stack traces.</summary>
    private const string DebugVariable = "LUFFY_DEBUG";

    public static RootCommand Create(Streams streams)
    {
        var root = new RootCommand("Luffy post-trains language models with LUFFY: reinforcement learning with off-policy guidance.")
        {
            TrainCommand.Create(streams),
            CompareCommand.Create(streams),
            PretrainCommand.Create(streams),
            EvalCommand.Create(streams),
            DataCommand.Create(streams),
            GenerateCommand.Create(streams),
            ScoreCommand.Create(streams),
            ReplayCommand.Create(streams),
            MergeCommand.Create(streams),
            TokenizeCommand.Create(streams),
            VerifyCommand.Create(streams),
            ExportCommand.Create(streams),
            PlanCommand.Create(streams),
            DevicesCommand.Create(streams),
            BenchCommand.Create(streams),
            CommonOptions.Quiet,
        };
        root.SetAction(result =>
        {
            new HelpAction().Invoke(result);
            return WrongUsage;
        });
        return root;
    }

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, Streams streams)
    {
        // An argument that begins with @ is text, not the name of a file with arguments: prompts may begin with anything.
        ParseResult parsed = Create(streams).Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            foreach (string message in parsed.Errors.Select(e => e.Message).Distinct())
                await streams.Error.WriteLineAsync($"luffy: {message}");
            await streams.Error.WriteLineAsync($"See '{CommandPath(parsed)} --help'.");
            return WrongUsage;
        }
        return await InvokeAsync(parsed, streams);
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, Streams streams)
    {
        var configuration = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
            Output = streams.Out,
            Error = streams.Error,
        };
        try
        {
            try
            {
                return await parsed.InvokeAsync(configuration);
            }
            finally
            {
                // What was done before a failure is written too.
                await streams.Out.FlushAsync();
            }
        }
        catch (Exception e) when (e is LuffyException or LuffyKernelException or IOException or UnauthorizedAccessException)
        {
            await streams.Error.WriteLineAsync(Debugging ? e.ToString() : $"luffy: {e.Message}");
            return e is LuffyException known ? known.ExitCode : Failed;
        }
        catch (Exception e)
        {
            await streams.Error.WriteLineAsync(Debugging
                ? e.ToString()
                : $"luffy: this should not have happened: {e.GetType().Name}: {e.Message} Run again with {DebugVariable}=1 for the details, and please report them.");
            return Failed;
        }
    }

    private static bool Debugging => Environment.GetEnvironmentVariable(DebugVariable) == "1";

    private static string CommandPath(ParseResult parsed)
    {
        string name = parsed.CommandResult.Command.Name;
        return parsed.CommandResult.Command is RootCommand ? "luffy" : $"luffy {name}";
    }
}
