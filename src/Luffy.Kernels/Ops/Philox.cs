namespace Luffy.Kernels;

/// <summary>
/// The counter-based generator Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11):
/// a pure function from a counter and a key to four random words.
/// </summary>
internal static class Philox
{
    /// <summary>Ten rounds over one counter.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Generate(uint c0, uint c1, uint c2, uint c3, ulong key)
    {
        (uint k0, uint k1) = ((uint)key, (uint)(key >> 32));
        for (int round = 0; round < 10; round++)
        {
            ulong a = 0xD2511F53ul * c0, b = 0xCD9E8D57ul * c2;
            (c0, c1, c2, c3) = ((uint)(b >> 32) ^ c1 ^ k0, (uint)b, (uint)(a >> 32) ^ c3 ^ k1, (uint)a);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>Standard Gumbel noise from one word: −ln(−ln u), u strictly inside (0, 1) and exact in F32.</summary>
    public static float Gumbel(uint word)
    {
        float u = ((word >> 9) + 0.5f) * (1.0f / (1 << 23));
        return -MathF.Log(-MathF.Log(u));
    }
}
