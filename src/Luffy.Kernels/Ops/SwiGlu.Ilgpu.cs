using ILGPU;
using Luffy.Kernels.Ilgpu;

namespace Luffy.Kernels;

/// <summary><see cref="ISwiGlu"/> on any GPU.</summary>
internal sealed class SwiGluIlgpu(IlgpuContext context) : ISwiGlu
{
    /// <inheritdoc/>
    public void Forward(in Tensor y, in Tensor gateUp)
    {
        SwiGluChecks.Forward(y, gateUp);
        context.CheckOwn(y, gateUp);
        if (gateUp.DType == DType.F32) Forward<F32Storage>(y, gateUp);
        else Forward<Bf16Storage>(y, gateUp);
    }

    /// <inheritdoc/>
    public void Backward(in Tensor dGateUp, in Tensor dy, in Tensor gateUp)
    {
        SwiGluChecks.Backward(dGateUp, dy, gateUp);
        context.CheckOwn(dGateUp, dy, gateUp);
        if (gateUp.DType == DType.F32) Backward<F32Storage>(dGateUp, dy, gateUp);
        else Backward<Bf16Storage>(dGateUp, dy, gateUp);
    }

    private void Forward<T>(in Tensor y, in Tensor gateUp) where T : unmanaged, IStorage<T>
    {
        int width = (int)gateUp.RowLength / 2;
        context.Launch(SwiGluKernels.Forward<T>, context.RowElements(gateUp.D0, width), context.View<T>(y), context.View<T>(gateUp), width);
    }

    private void Backward<T>(in Tensor dGateUp, in Tensor dy, in Tensor gateUp) where T : unmanaged, IStorage<T>
    {
        int width = (int)gateUp.RowLength / 2;
        context.Launch(SwiGluKernels.Backward<T>, context.RowElements(gateUp.D0, width), context.View<T>(dGateUp), context.View<T>(dy),
            context.View<T>(gateUp), width);
    }
}

/// <summary>The kernels of <see cref="SwiGluIlgpu"/>: a thread for each pair of gate and up, in the shape of <see cref="IlgpuContext.RowElements"/>.</summary>
internal static class SwiGluKernels
{
    /// <summary>y[t, i] = silu(gate) · up.</summary>
    [Kernel]
    public static void Forward<T>(ArrayView<T> y, ArrayView<T> gateUp, int width) where T : unmanaged, IStorage<T>
    {
        long row = Grid.IdxX;
        ForwardElement<T> body = new()
        {
            Y = y.SubView(row * width, width),
            Gate = gateUp.SubView(2 * row * width, width),
            Up = gateUp.SubView((2 * row * width) + width, width),
        };
        GridStride.ForEach<ForwardElement<T>, Pair<T>>(body, GridStride.FirstInRow, GridStride.StepInRow, width);
    }

    /// <summary>Gradients of gate and up; each thread reads its own elements before it writes them, so they may be the same memory.</summary>
    [Kernel]
    public static void Backward<T>(ArrayView<T> dGateUp, ArrayView<T> dy, ArrayView<T> gateUp, int width) where T : unmanaged, IStorage<T>
    {
        long row = Grid.IdxX;
        BackwardElement<T> body = new()
        {
            DGate = dGateUp.SubView(2 * row * width, width),
            DUp = dGateUp.SubView((2 * row * width) + width, width),
            Dy = dy.SubView(row * width, width),
            Gate = gateUp.SubView(2 * row * width, width),
            Up = gateUp.SubView((2 * row * width) + width, width),
        };
        GridStride.ForEach<BackwardElement<T>, Triple<T>>(body, GridStride.FirstInRow, GridStride.StepInRow, width);
    }

    private struct Pair<T> where T : unmanaged
    {
        public T Gate, Up;
    }

    private struct Triple<T> where T : unmanaged
    {
        public T Gate, Up, Dy;
    }

    private struct ForwardElement<T> : IElementwise<Pair<T>> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> Y, Gate, Up;

        public readonly Pair<T> Read(int i) => new() { Gate = Gate[i], Up = Up[i] };

        public readonly void Write(int i, Pair<T> read)
        {
            float gate = T.Load(read.Gate);
            Y[i] = T.Store(gate / (1 + DeviceMath.Exp(-gate)) * T.Load(read.Up));
        }
    }

    private struct BackwardElement<T> : IElementwise<Triple<T>> where T : unmanaged, IStorage<T>
    {
        public ArrayView<T> DGate, DUp, Dy, Gate, Up;

        public readonly Triple<T> Read(int i) => new() { Gate = Gate[i], Up = Up[i], Dy = Dy[i] };

        public readonly void Write(int i, Triple<T> read)
        {
            float gate = T.Load(read.Gate), d = T.Load(read.Dy), sigmoid = DeviceMath.Sigmoid(gate);
            DGate[i] = T.Store(d * T.Load(read.Up) * sigmoid * DeviceMath.FusedMultiplyAdd(gate, 1 - sigmoid, 1));
            DUp[i] = T.Store(d * gate * sigmoid);
        }
    }
}
