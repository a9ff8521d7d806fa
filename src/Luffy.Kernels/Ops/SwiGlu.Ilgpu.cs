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
        for (int i = GridStride.FirstInRow; i < width; i += GridStride.StepInRow)
        {
            float gate = T.Load(gateUp[(2 * row * width) + i]), up = T.Load(gateUp[(2 * row * width) + width + i]);
            y[(row * width) + i] = T.Store(gate / (1 + DeviceMath.Exp(-gate)) * up);
        }
    }

    /// <summary>Gradients of gate and up; each thread reads its own two elements before it writes them, so they may be the same memory.</summary>
    [Kernel]
    public static void Backward<T>(ArrayView<T> dGateUp, ArrayView<T> dy, ArrayView<T> gateUp, int width) where T : unmanaged, IStorage<T>
    {
        long row = Grid.IdxX;
        for (int i = GridStride.FirstInRow; i < width; i += GridStride.StepInRow)
        {
            long gateAt = (2 * row * width) + i, upAt = gateAt + width;
            float gate = T.Load(gateUp[gateAt]), up = T.Load(gateUp[upAt]), d = T.Load(dy[(row * width) + i]);
            float sigmoid = DeviceMath.Sigmoid(gate);
            dGateUp[gateAt] = T.Store(d * up * sigmoid * DeviceMath.FusedMultiplyAdd(gate, 1 - sigmoid, 1));
            dGateUp[upAt] = T.Store(d * gate * sigmoid);
        }
    }
}
