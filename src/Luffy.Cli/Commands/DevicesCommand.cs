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
                streams.Out.WriteLine(JsonSerializer.Serialize(probes.Select(Json), CommonOptions.JsonFormat));
                return;
            }
            foreach (BackendProbe probe in probes)
            {
                streams.Out.WriteLine($"{probe.Name,-10} {(probe.Available ? "yes" : "no"),-4} {probe.Detail}");
                foreach (DeviceProbe device in probe.Devices)
                    streams.Out.WriteLine($"{"",-15} {(device.Used ? "used" : "not used")}: {device.Name}: {device.Detail}");
            }
        });
        return command;
    }

    private static object Json(BackendProbe probe) => new
    {
        name = probe.Name,
        available = probe.Available,
        detail = probe.Detail,
        devices = probe.Devices.Select(d => new { name = d.Name, used = d.Used, detail = d.Detail }),
    };
}
