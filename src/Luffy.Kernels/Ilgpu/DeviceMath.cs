using System.Reflection;
using ILGPU;
using ILGPU.Backends.OpenCL;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// The arithmetic of kernels. Everything here is exact, correctly rounded or made of such steps, so a formula has the same bits on every
/// device and on the emulator. That is why kernels use it in place of <c>MathF</c> and <c>XMath</c>: ILGPU maps their exponential to a
/// rough instruction, and .NET's fused multiply-add to a function that no GPU has.
/// <para>
/// A compiler for GPUs may fuse <c>a * b + c</c> or leave it, differently in two kernels that hold the same formula. Where bits must
/// agree, write <see cref="FusedMultiplyAdd"/>; products, quotients and roots on their own are rounded once everywhere.
/// </para>
/// </summary>
internal static class DeviceMath
{
    private const float Log2E = 1.44269504f;

    // ln 2 in two parts; the first has so few bits that its product with any exponent is exact.
    private const float Ln2Upper = 0.693145752f;
    private const float Ln2Lower = 1.42860677e-6f;

    // Added to a small number and taken away again, it rounds to an integer.
    private const float Rounder = 12582912;

    // The same in f64.
    private const double Ln2UpperF64 = 6.93147180369123816490e-01, Ln2LowerF64 = 1.90821492927058770002e-10, RounderF64 = 6755399441055744;

    /// <summary>a·b + c with one rounding.</summary>
    [IntrinsicImplementation]
    public static float FusedMultiplyAdd(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    /// <summary>
    /// eˣ to about one unit in the last place: x = k·ln 2 + r with |r| ≤ ln 2 / 2, and the Taylor series of eʳ to the seventh power, whose
    /// remainder is below 6·10⁻⁹.
    /// </summary>
    public static float Exp(float x)
    {
        // Beyond these the result is infinite and zero; NaN is neither, and stays.
        x = x > 89 ? 89 : x;
        x = x < -110 ? -110 : x;
        float k = FusedMultiplyAdd(x, Log2E, Rounder) - Rounder;
        float r = FusedMultiplyAdd(k, -Ln2Lower, FusedMultiplyAdd(k, -Ln2Upper, x));
        float series = FusedMultiplyAdd(r, 1f / 5040, 1f / 720);
        series = FusedMultiplyAdd(series, r, 1f / 120);
        series = FusedMultiplyAdd(series, r, 1f / 24);
        series = FusedMultiplyAdd(series, r, 1f / 6);
        series = FusedMultiplyAdd(series, r, 0.5f);
        series = FusedMultiplyAdd(series, r, 1);
        series = FusedMultiplyAdd(series, r, 1);

        // In two steps, because 2ᵏ alone leaves the range of f32 where eˣ is about to.
        int exponent = (int)k, half = exponent / 2;
        return series * PowerOfTwo(half) * PowerOfTwo(exponent - half);
    }

    /// <summary>
    /// eˣ in f64 to about one unit in the last place, in the same way: the Taylor series to the thirteenth power, whose remainder is below
    /// 5·10⁻¹⁸. For a few numbers a token: some GPUs are slow at f64.
    /// </summary>
    public static double Exp(double x)
    {
        if (double.IsNaN(x)) return x;
        if (x > 709.8) return double.PositiveInfinity;
        if (x < -745.2) return 0;
        double k = (x * 1.4426950408889634) + RounderF64 - RounderF64, r = x - (k * Ln2UpperF64) - (k * Ln2LowerF64);
        double series = (r / 6227020800) + (1.0 / 479001600);
        series = (series * r) + (1.0 / 39916800);
        series = (series * r) + (1.0 / 3628800);
        series = (series * r) + (1.0 / 362880);
        series = (series * r) + (1.0 / 40320);
        series = (series * r) + (1.0 / 5040);
        series = (series * r) + (1.0 / 720);
        series = (series * r) + (1.0 / 120);
        series = (series * r) + (1.0 / 24);
        series = (series * r) + (1.0 / 6);
        series = (series * r) + 0.5;
        series = (series * r * r) + r + 1;
        int exponent = (int)k, half = exponent / 2;
        return series * PowerOfTwoF64(half) * PowerOfTwoF64(exponent - half);
    }

    /// <summary>
    /// 2^(a·b) to about one unit in the last place where a·b ≤ 0, 0 below 2⁻¹²⁵: what a softmax needs, in half the steps of <see cref="Exp(float)"/>.
    /// The product is not rounded: a·b = k + r with |r| ≤ ½, and 2ʳ − 1 = r·p(r) with the polynomial of degree five that agrees with it at
    /// Chebyshev's points, to 10⁻⁸.
    /// </summary>
    public static float Exp2OfProduct(float a, float b)
    {
        float rounded = FusedMultiplyAdd(a, b, Rounder), r = FusedMultiplyAdd(a, b, Rounder - rounded);
        float series = FusedMultiplyAdd(r, 0.000154531634f, 0.00133908633f);
        series = FusedMultiplyAdd(series, r, 0.00961808302f);
        series = FusedMultiplyAdd(series, r, 0.0555035695f);
        series = FusedMultiplyAdd(series, r, 0.240226507f);
        series = FusedMultiplyAdd(series, r, 0.693147182f);
        series = FusedMultiplyAdd(series, r, 1);

        // The last bits of the rounded product are those of k. A product, not a sum of bits, so that what is not a number stays so.
        float power = Interop.IntAsFloat((Interop.FloatAsInt(rounded) << 23) + 0x3F800000u);
        float result = series * power;
        return a * b < -125 ? 0 : result;
    }

    /// <summary>
    /// ln x to about one unit in the last place, for positive normal x; −∞ at 0 and below the smallest normal number, NaN below zero.
    /// x = m·2ᵏ with m in [√½, √2), and ln m = f − (f²/2 − s·(f²/2 + R)) with f = m − 1, s = f/(2 + f), where R is what the series of
    /// 2·artanh s has after its first term.
    /// </summary>
    public static float Log(float x)
    {
        if (float.IsNaN(x) || x == float.PositiveInfinity) return x;
        if (x < 0) return float.NaN;
        if (x < 1.17549435e-38f) return float.NegativeInfinity;

        // Bits of √½ are taken away, so that the exponent changes there and not at 1.
        uint bits = Interop.FloatAsInt(x) - 0x3F3504F3u;
        int k = (int)bits >> 23;
        float f = Interop.IntAsFloat((bits & 0x007FFFFFu) + 0x3F3504F3u) - 1;
        float s = f / (2 + f), square = s * s, half = 0.5f * f;
        float tail = FusedMultiplyAdd(square, 2f / 11, 2f / 9);
        tail = FusedMultiplyAdd(tail, square, 2f / 7);
        tail = FusedMultiplyAdd(tail, square, 2f / 5);
        tail = FusedMultiplyAdd(tail, square, 2f / 3) * square;
        float lower = FusedMultiplyAdd(k, Ln2Lower, s * FusedMultiplyAdd(half, f, tail));
        return FusedMultiplyAdd(k, Ln2Upper, f - FusedMultiplyAdd(half, f, -lower));
    }

    /// <summary>
    /// ln x in f64 to about one unit in the last place, in the same way as <see cref="Log(float)"/>: the series of 2·artanh s to s²⁵, whose
    /// remainder is below 10⁻²⁰. −∞ at 0 and below the smallest normal number, NaN below zero. For a few numbers a token.
    /// </summary>
    public static double Log(double x)
    {
        if (double.IsNaN(x) || x == double.PositiveInfinity) return x;
        if (x < 0) return double.NaN;
        if (x < 2.2250738585072014e-308) return double.NegativeInfinity;

        ulong bits = Interop.FloatAsInt(x) - 0x3FE6A09E667F3BCDul;
        int k = (int)((long)bits >> 52);
        double f = Interop.IntAsFloat((bits & 0x000FFFFFFFFFFFFFul) + 0x3FE6A09E667F3BCDul) - 1;
        double s = f / (2 + f), square = s * s, half = 0.5 * f * f;
        double tail = (square * (2.0 / 25)) + (2.0 / 23);
        for (int odd = 21; odd > 1; odd -= 2) tail = (tail * square) + (2.0 / odd);
        tail *= square;
        return (k * Ln2UpperF64) - (half - ((s * (half + tail)) + (k * Ln2LowerF64)) - f);
    }

    /// <summary>1/(1 + e⁻ˣ).</summary>
    public static float Sigmoid(float x) => 1 / (1 + Exp(-x));

    /// <summary>The remainder by a power of two, of a number that is not negative: one instruction, where <c>%</c> is a division, constant or not.</summary>
    public static int Modulo(int value, int powerOfTwo) => value & (powerOfTwo - 1);

    /// <summary><see cref="BFloat16.FromSingle"/>, in what a GPU can do.</summary>
    public static ushort RoundToBFloat16(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        uint upper = bits >> 16;
        return (ushort)(float.IsNaN(value) ? upper | 0x40u : (bits + 0x7FFFu + (upper & 1u)) >> 16);
    }

    /// <summary>Tells ILGPU how each kind of device multiplies and adds with one rounding.</summary>
    internal static void Register(IntrinsicImplementationManager manager)
    {
        MethodInfo method = Method(nameof(FusedMultiplyAdd));
        manager.RegisterMethod(method, new PTXIntrinsic(Method(nameof(EmitPtx)), IntrinsicImplementationMode.GenerateCode));
        manager.RegisterMethod(method, new CLIntrinsic(Method(nameof(EmitOpenCL)), IntrinsicImplementationMode.GenerateCode));
    }

    private static float PowerOfTwo(int exponent) => Interop.IntAsFloat((uint)(exponent + 127) << 23);

    private static double PowerOfTwoF64(int exponent) => Interop.IntAsFloat((ulong)(exponent + 1023) << 52);

    private static void EmitPtx(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        PTXRegisterAllocator.HardwareRegister result = generator.AllocateHardware(value);
        var (a, b, c) = (generator.LoadPrimitive(value[0]), generator.LoadPrimitive(value[1]), generator.LoadPrimitive(value[2]));
        using PTXCodeGenerator.CommandEmitter command = generator.BeginCommand("fma.rn.f32");
        command.AppendArgument(result);
        command.AppendArgument(a);
        command.AppendArgument(b);
        command.AppendArgument(c);
    }

    private static void EmitOpenCL(CLBackend backend, CLCodeGenerator generator, Value value)
    {
        var (a, b, c) = (generator.Load(value[0]), generator.Load(value[1]), generator.Load(value[2]));
        CLVariableAllocator.Variable result = generator.Allocate(value);
        using CLCodeGenerator.StatementEmitter statement = generator.BeginStatement(result);
        statement.AppendCommand("fma");
        statement.BeginArguments();
        statement.AppendArgument(a);
        statement.AppendArgument(b);
        statement.AppendArgument(c);
        statement.EndArguments();
    }

    private static MethodInfo Method(string name) =>
        typeof(DeviceMath).GetMethod(name, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)!;
}
