using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>What the operations of this backend stand on.</summary>
[NonParallelizable]
public sealed class IlgpuContextTests
{
    private IlgpuContext? _context;
    private IlgpuBuffer? _buffer;

    [SetUp]
    public void Open()
    {
        _context = new IlgpuContext(IlgpuDevice.OpenEmulator(2));
        _buffer = new IlgpuBuffer(_context, "test", 6 << 20);
    }

    [TearDown]
    public void Close()
    {
        _buffer?.Dispose();
        _context?.Dispose();
    }

    [Test]
    public void Transfers_longer_than_the_pinned_block_are_cut_up()
    {
        byte[] sent = new byte[(5 << 20) + 7], received = new byte[sent.Length];
        new Random(1).NextBytes(sent);
        Tensor tensor = _buffer!.View(64, DType.U8, sent.Length);
        _context!.Upload<byte>(tensor, sent);
        _context.Upload<byte>(tensor.Rows(3, 2), [1, 2]);
        (sent[3], sent[4]) = (1, 2);
        _context.Download<byte>(tensor, received);
        Assert.That(received.AsSpan().SequenceEqual(sent), Is.True);
    }

    [Test]
    public void Integers_are_those_that_were_uploaded_last()
    {
        Tensor all = _buffer!.View(256, DType.I32, 8);
        _context!.Upload<int>(all, [1, 2, 3, 4, 5, 6, 7, 8]);
        Expect([3, 4, 5], all.Rows(2, 3), "a part");
        _context.Upload<int>(all.Rows(2, 2), [30, 40]);
        Expect([30, 40], all.Rows(2, 2), "what a later upload wrote");
        Expect([1, 2, 30, 40, 5, 6, 7, 8], all, "both");
        _context.Zero(all.Rows(0, 1));
        Expect([0, 2], all.Rows(0, 2), "after zeroing");
        _context.Upload<int>(all, [9, 9, 9, 9, 9, 9, 9, 9]);
        _context.Copy(all.Rows(0, 2), all.Rows(2, 2));
        _context.Upload<int>(all.Rows(5, 1), [11]);
        Expect([9, 9, 9, 9, 9, 11, 9, 9], all, "after copying");
        Assert.That(_context.Integers(all.Rows(0, 0)).Length, Is.Zero);
    }

    [Test]
    public void Integers_that_a_kernel_wrote_are_read_back()
    {
        Tensor ids = _buffer!.View(0, DType.I32, 3);
        _context!.Upload<int>(ids, [7, 8, 9]);
        Assert.That(_buffer.Integers.TryFind(0, 3, out _), Is.True);
        _context.Overwrites(ids.Rows(1, 1));
        Assert.That(_buffer.Integers.TryFind(0, 3, out _), Is.False);
        Expect([7, 8, 9], ids, "from the device");
    }

    [Test]
    public void A_kernel_that_is_not_registered_is_refused_by_its_name()
    {
        LuffyKernelException error = Assert.Throws<LuffyKernelException>(() => _context!.Launch(Unregistered, new KernelConfig(1, 1), 1));
        Assert.That(error.Message, Does.Contain(nameof(Unregistered)).And.Contains("[Kernel]"));
    }

    [Test]
    public void Every_kernel_has_a_name_of_its_own_and_both_storages()
    {
        Assert.That(KernelRegistry.All.Keys, Is.SupersetOf(new[] { "SwiGlu.Forward<F32Storage>", "SwiGlu.Forward<Bf16Storage>", "AdamW.SumBlocks" }));
        Assert.That(KernelRegistry.All.Values.Select(kernel => kernel.IsGenericMethodDefinition), Has.None.True);
    }

    [Test]
    public void Views_that_do_not_suit_their_elements_are_refused() =>
        Assert.That(() => _context!.View<double>(_buffer!.View(4, DType.F32, 2)), Throws.TypeOf<LuffyKernelException>().With.Message.Contains("aligned"));

    private static void Unregistered(int value) => _ = value;

    private void Expect(int[] expected, in Tensor tensor, string what)
    {
        Assert.That(_context!.Integers(tensor).ToArray(), Is.EqualTo(expected), what);
        int[] there = new int[expected.Length];
        _context.Download<int>(tensor, there);
        Assert.That(there, Is.EqualTo(expected), what + " on the device");
    }
}
