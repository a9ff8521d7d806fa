using System.CommandLine;
using System.Text.Json;
using Luffy.Kernels;

namespace Luffy.Cli.Commands;

/// <summary><c>luffy devices</c>: what can compute here, best first.</summary>
internal static class DevicesCommand
{
    public static Command Create(Streams streams)
    {
        var command = new Command("devices", "Lists the backends, best first, and says which can compute here") { CommonOptions.Json };
        command.SetAction(parsed =>
        {
            IReadOnlyList<BackendProbe> probes = Backends.Probe();
            if (parsed.GetValue(CommonOptions.Json))
            {
                streams.Out.WriteLine(JsonSerializer.Serialize(probes.Select(p => new { name = p.Name, available = p.Available, detail = p.Detail }), CommonOptions.JsonFormat));
                return;
            }
            foreach (BackendProbe probe in probes)
                streams.Out.WriteLine($"{probe.Name,-10} {(probe.Available ? "yes" : "no"),-4} {probe.Detail}");
        });
        return command;
    }
}
