namespace Luffy.Cli.Tests;

/// <summary>Runs luffy within this process, as a shell would.</summary>
internal static class Shell
{
    public static async Task<(int Code, string Out, string Error)> RunAsync(string input, params string[] arguments)
    {
        var output = new StringWriter { NewLine = "\n" };
        var error = new StringWriter { NewLine = "\n" };
        int code = await CommandLine.RunAsync(arguments, new Streams(new StringReader(input), output, error));
        return (code, output.ToString(), error.ToString());
    }
}
