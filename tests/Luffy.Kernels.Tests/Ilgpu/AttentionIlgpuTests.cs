using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels.Tests.Ilgpu;

/// <summary>What attention's kernels choose by themselves (threads, kinds of head, launches) changes no bit of what they compute.</summary>
[TestFixture(DType.F32)]
[TestFixture(DType.Bf16)]
[NonParallelizable]
public sealed class AttentionIlgpuTests(DType dtype)
{
    private static readonly int[] Lengths = [70, 3, 21];

    [Test]
    public void Decoding_does_not_depend_on_threads()
    {
        float[] alone = Decode(1);
        foreach (int threads in (int[])[2, 3, 16]) Expect.SameBits($"y with {threads} threads", Decode(threads), alone);
    }

    [Test]
    public void Heads_of_64_elements_need_not_be_aligned()
    {
        AttentionShape shape = new(2, 1, 64, 0.125f);
        const int tokens = 7;
        using IlgpuBackend backend = new(IlgpuDevice.OpenEmulator(2));
        using Lab lab = new(backend);
        (float[] Y, float[] LogSumExp, float[] DQkv, float[] Paged) aligned = Run(0), shifted = Run(1);
        Expect.SameBits("y", shifted.Y, aligned.Y);
        Expect.SameBits("logSumExp", shifted.LogSumExp, aligned.LogSumExp);
        Expect.SameBits("dQkv", shifted.DQkv, aligned.DQkv);
        Expect.SameBits("y from the cache", shifted.Paged, aligned.Paged);

        (float[] Y, float[] LogSumExp, float[] DQkv, float[] Paged) Run(int offset)
        {
            Tensor qkv = At(offset, Inputs.Normal(1, dtype, tokens * 4 * 64), 4), dy = At(offset, Inputs.Normal(2, dtype, tokens * 2 * 64), 2);
            Tensor y = At(offset, new float[tokens * 2 * 64], 2), paged = At(offset, new float[tokens * 2 * 64], 2), dQkv = At(offset, new float[tokens * 4 * 64], 4);
            Tensor logSumExp = lab.Output(DType.F32, tokens, 2), starts = lab.Ints(0, 5, tokens), contexts = lab.Ints(5, 2), table = lab.Ints([1, 0], 2);
            backend.Attention.Forward(y, logSumExp, qkv, starts, shape);
            backend.Attention.Backward(dQkv, dy, y, logSumExp, qkv, starts, shape, lab.Scratch(backend.Attention.BackwardScratchBytes(tokens, 5, shape, dtype)));
            Tensor cache = lab.Scratch(backend.Attention.CacheBytes(2, shape, dtype));
            backend.Attention.StoreKeyValue(cache, qkv, lab.Ints(16, 17, 18, 19, 20, 0, 1), 2, shape);
            backend.Attention.ForwardPaged(paged, qkv, cache, table, starts, contexts, 2, shape);
            return (lab.Read(y), lab.Read(logSumExp), lab.Read(dQkv), lab.Read(paged));
        }

        Tensor At(int offset, float[] values, int heads)
        {
            Tensor whole = lab.Floats(dtype, [.. new float[offset], .. values], offset + values.Length);
            return whole.Buffer.View(offset * dtype.Size(), dtype, tokens, heads, 64);
        }
    }

    [Test]
    public void Decoding_does_not_depend_on_room_for_what_is_not_merged_yet()
    {
        AttentionShape shape = new(3, 1, 8, 0.4f);
        int tokens = Lengths.Sum(), pagesEach = 5;
        using IlgpuContext context = new(IlgpuDevice.OpenEmulator(2));
        using IlgpuBuffer memory = new(context, "test", 1 << 20);
        int used = 0;
        Tensor qkv = Take(dtype, tokens, shape.PackedHeads, 8), rows = Take(dtype, Lengths.Length, shape.PackedHeads, 8), slots = Take(DType.I32, tokens);
        Upload(qkv, Inputs.Normal(1, dtype, (int)qkv.Length));
        Upload(rows, Inputs.Normal(2, dtype, (int)rows.Length));
        context.Upload<int>(slots, [.. Lengths.SelectMany((length, s) => Enumerable.Range(s * pagesEach * IAttention.PageSize, length))]);
        Tensor table = Take(DType.I32, Lengths.Length, pagesEach), starts = Take(DType.I32, Lengths.Length + 1), contexts = Take(DType.I32, Lengths.Length);
        context.Upload<int>(table, [.. Enumerable.Range(0, Lengths.Length * pagesEach)]);
        context.Upload<int>(starts, [0, 1, 2, 3]);
        context.Upload<int>(contexts, Lengths);

        int pages = Lengths.Length * pagesEach;
        byte[]? expected = null;
        // Room for all at once, for one sequence at a time, and for less than that.
        foreach (int bytes in (int[])[1 << 16, 300, 8])
        {
            using AttentionIlgpu attention = new(context, bytes);
            Tensor cache = Take(DType.U8, attention.CacheBytes(pages, shape, dtype)), y = Take(dtype, Lengths.Length, 3, 8);
            attention.StoreKeyValue(cache, qkv, slots, pages, shape);
            attention.ForwardPaged(y, rows, cache, table, starts, contexts, pages, shape);
            byte[] actual = new byte[y.Bytes];
            context.Download<byte>(y, actual);
            Assert.That(actual, Has.Some.Not.EqualTo(0));
            Assert.That(actual, Is.EqualTo(expected ??= actual), $"with {bytes} bytes");
        }

        Tensor Take(DType type, long d0, long d1 = 1, long d2 = 1)
        {
            Tensor taken = memory.View(used, type, d0, d1, d2);
            used += (int)((taken.Bytes + 63) / 64 * 64);
            return taken;
        }

        void Upload(in Tensor tensor, float[] values)
        {
            if (dtype == DType.F32) context.Upload<float>(tensor, values);
            else context.Upload<ushort>(tensor, Array.ConvertAll(values, BFloat16.FromSingle));
        }
    }

    [Test]
    public void Wide_heads_are_refused()
    {
        using IlgpuBackend backend = new(IlgpuDevice.OpenEmulator(1));
        using Lab lab = new(backend);
        Tensor y = lab.Output(dtype, 1, 1, 129), qkv = lab.Output(dtype, 1, 3, 129), logSumExp = lab.Output(DType.F32, 1, 1);
        Assert.That(() => backend.Attention.Forward(y, logSumExp, qkv, lab.Ints(0, 1), new AttentionShape(1, 1, 129, 1)),
            Throws.TypeOf<LuffyKernelException>().With.Message.Contains("at most 128"));
    }

    private float[] Decode(int threads)
    {
        AttentionShape shape = new(10, 2, 20, 0.2f);
        int[] lengths = [66, 67];
        int tokens = lengths.Sum();
        using IlgpuBackend backend = new(IlgpuDevice.OpenEmulator(threads));
        using Lab lab = new(backend);
        Tensor qkv = lab.Floats(dtype, Inputs.Normal(1, dtype, tokens * shape.PackedHeads * 20), tokens, shape.PackedHeads, 20);
        PagedBatch paged = new(lab, dtype, shape, qkv, lengths, seed: 6);
        float[] y = new float[tokens * 10 * 20];
        paged.Advance(y, 0, 65);
        paged.Advance(y, 65, 1);
        return y;
    }
}
