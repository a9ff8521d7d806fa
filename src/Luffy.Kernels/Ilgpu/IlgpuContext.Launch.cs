using ILGPU;
using ILGPU.Runtime;

namespace Luffy.Kernels.Ilgpu;

// One overload for each number of parameters that a kernel may have: C# has no other way to say "the parameters of that method".
internal sealed partial class IlgpuContext
{
    /// <summary>Launches a kernel: compiles it the first time, then queues it behind everything issued before. An empty grid launches nothing.</summary>
    /// <param name="kernel">A static method with <see cref="KernelAttribute"/>, as a method group: <c>context.Launch(SwiGluKernels.Forward&lt;T&gt;, …)</c>.</param>
    /// <param name="shape">Groups and threads of a group.</param>
    /// <param name="p1">Its parameters, in order.</param>
    /// <exception cref="LuffyKernelException">It cannot be compiled for this device, or the device failed; the message names the kernel.</exception>
    public void Launch<T1>(Action<T1> kernel, in KernelConfig shape, T1 p1)
        where T1 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2>(Action<T1, T2> kernel, in KernelConfig shape, T1 p1, T2 p2)
        where T1 : struct where T2 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3>(Action<T1, T2, T3> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3)
        where T1 : struct where T2 : struct where T3 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4>(Action<T1, T2, T3, T4> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5>(Action<T1, T2, T3, T4, T5> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6>(Action<T1, T2, T3, T4, T5, T6> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6, T7>(Action<T1, T2, T3, T4, T5, T6, T7> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6, T7 p7)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct where T7 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6, T7>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6, p7);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6, T7, T8>(Action<T1, T2, T3, T4, T5, T6, T7, T8> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6, T7 p7, T8 p8)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct where T7 : struct where T8 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6, T7, T8>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6, p7, p8);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9>(Action<T1, T2, T3, T4, T5, T6, T7, T8, T9> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6, T7 p7, T8 p8, T9 p9)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct where T7 : struct where T8 : struct where T9 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6, T7, T8, T9>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6, p7, p8, p9);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>(Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6, T7 p7, T8 p8, T9 p9, T10 p10)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct where T7 : struct where T8 : struct where T9 : struct where T10 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>(Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6, T7 p7, T8 p8, T9 p9, T10 p10, T11 p11)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct where T7 : struct where T8 : struct where T9 : struct where T10 : struct where T11 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>(Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6, T7 p7, T8 p8, T9 p9, T10 p10, T11 p11, T12 p12)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct where T7 : struct where T8 : struct where T9 : struct where T10 : struct where T11 : struct where T12 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>(Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6, T7 p7, T8 p8, T9 p9, T10 p10, T11 p11, T12 p12, T13 p13)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct where T7 : struct where T8 : struct where T9 : struct where T10 : struct where T11 : struct where T12 : struct where T13 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }

    /// <inheritdoc cref="Launch{T1}"/>
    public void Launch<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14>(Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14> kernel, in KernelConfig shape, T1 p1, T2 p2, T3 p3, T4 p4, T5 p5, T6 p6, T7 p7, T8 p8, T9 p9, T10 p10, T11 p11, T12 p12, T13 p13, T14 p14)
        where T1 : struct where T2 : struct where T3 : struct where T4 : struct where T5 : struct where T6 : struct where T7 : struct where T8 : struct where T9 : struct where T10 : struct where T11 : struct where T12 : struct where T13 : struct where T14 : struct
    {
        if (IsEmpty(shape)) return;
        try
        {
            ((Action<AcceleratorStream, KernelConfig, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14>)Loaded(kernel, static (a, k) => a.LoadKernel((Action<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14>)k, KernelRegistry.Specialization(k.Method))))(_stream, shape, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14);
        }
        catch (Exception exception) when (IsDeviceFailure(exception))
        {
            throw LaunchFailure(kernel, exception);
        }
    }
}
