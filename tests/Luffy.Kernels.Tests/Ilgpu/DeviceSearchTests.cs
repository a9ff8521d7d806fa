using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>What is asked of a device before it is opened, and what is told of those that are there.</summary>
[NonParallelizable]
public sealed class DeviceSearchTests
{
    private static readonly OpenCLOffer Gpu = new(3, 0, true, 64 << 10, 256, false);

    [Test]
    public void A_device_with_all_that_kernels_need_has_no_obstacle()
    {
        Assert.That(Gpu.Obstacle(cpus: false), Is.Null);
        Assert.That((Gpu with { Major = 2 }).Obstacle(cpus: false), Is.Null);
        Assert.That((Gpu with { IsCpu = true }).Obstacle(cpus: true), Is.Null);
    }

    [Test]
    public void What_is_missing_is_named()
    {
        Assert.That((Gpu with { Major = 1, Minor = 2 }).Obstacle(cpus: true), Does.Contain("OpenCL 1.2").And.Contains("2.0"));
        Assert.That((Gpu with { GenericAddressSpace = false }).Obstacle(cpus: true), Does.Contain("generic address space"));
        Assert.That((Gpu with { SharedMemory = 32 << 10 }).Obstacle(cpus: true), Does.Contain("32 KiB").And.Contains("48"));
        Assert.That((Gpu with { GroupSize = 128 }).Obstacle(cpus: true), Does.Contain("128 threads").And.Contains("256"));
        Assert.That((Gpu with { IsCpu = true }).Obstacle(cpus: false), Does.Contain("cpu backend"));
    }

    [Test]
    public void Every_device_of_this_machine_is_told_with_a_reason()
    {
        DeviceSearch search = new(cpus: true);
        string message = "";
        try
        {
            using IlgpuBackend backend = new(search.Open(allowEmulator: false, threads: 0));
            Assert.That(search.Devices.Count(device => device.Used), Is.EqualTo(1));
            Assert.That(backend.Description, Does.Contain(search.Devices.Single(device => device.Used).Name));
        }
        catch (LuffyKernelException exception)
        {
            message = exception.Message;
            Assert.That(message, Does.Contain("NVIDIA").And.Contains("OpenCL").And.Contains("--allow-emulator"));
            Assert.That(search.Devices.Select(device => device.Used), Has.None.True);
        }

        foreach (DeviceProbe device in search.Devices)
        {
            Assert.That(device.Name, Does.Contain(" through "));
            Assert.That(device.Detail, Is.Not.Empty);
            if (message.Length > 0) Assert.That(message, Does.Contain(device.Name).And.Contains(device.Detail));
        }
    }

    [Test]
    public void The_emulator_is_opened_where_it_is_allowed_and_nothing_better_is_there()
    {
        DeviceSearch search = new(cpus: false);
        using IlgpuBackend backend = new(search.Open(allowEmulator: true, threads: 3));
        Assert.That(backend.IsEmulator, Is.Not.EqualTo(search.Devices.Any(device => device.Used)));
        if (backend.IsEmulator) Assert.That(backend.Threads, Is.EqualTo(3));
    }

    [Test]
    public void Who_did_not_ask_for_it_pays_nothing_for_a_driver_where_there_is_no_gpu()
    {
        if (!OperatingSystem.IsLinux() || Directory.Exists("/dev/dri") || Directory.EnumerateFileSystemEntries("/dev", "nvidia*").Any()) Assert.Ignore("this machine may have a GPU");
        DeviceSearch search = new(cpus: false);
        Assert.That(() => search.Open(allowEmulator: false, threads: 0), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("no GPU"));
        Assert.That(search.Devices, Is.Empty);
    }
}
