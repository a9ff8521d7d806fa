using System.Text;

namespace Luffy.Cli.Tests;

/// <summary>Runs luffy within this process, as a shell would.</summary>
internal static class Shell
{
    public static Task<(int Code, string Out, string Error)> RunAsync(string input, params string[] arguments) =>
        RunAsync(Encoding.UTF8.GetBytes(input), arguments);

    public static async Task<(int Code, string Out, string Error)> RunAsync(byte[] input, params string[] arguments)
    {
        var output = new StringWriter { NewLine = "\n" };
        var error = new StringWriter { NewLine = "\n" };
        int code = await CommandLine.RunAsync(arguments, new Streams(new MemoryStream(input), output, error));
        return (code, output.ToString(), error.ToString());
    }
}
