using System.Numerics;

namespace Luffy.Engine.Data.Tasks;

/// <summary>
/// The generator behind the built-in tasks: SplitMix64 (Steele, Lea and Flood, 2014). Its own, because a data set must be the same
/// on every runtime and <see cref="Random"/> promises no such thing.
/// </summary>
/// <param name="seed">Any number; equal seeds give equal sequences.</param>
public sealed class TaskRandom(ulong seed)
{
    private ulong state = seed;

    /// <summary>The next 64 random bits.</summary>
    public ulong NextUInt64()
    {
        state += 0x9E3779B97F4A7C15UL;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>An integer in [<paramref name="minimum"/>, <paramref name="maximum"/>], both ends included.</summary>
    public int Next(int minimum, int maximum)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minimum, maximum);
        ulong range = (ulong)((long)maximum - minimum + 1);
        return (int)(minimum + (long)Math.BigMul(NextUInt64(), range, out _));
    }

    /// <summary>A number in [0, 1).</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>True with the given probability.</summary>
    public bool Chance(double probability) => NextDouble() < probability;

    /// <summary>One of the items, each equally likely.</summary>
    public T Choose<T>(IReadOnlyList<T> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        return items[Next(0, items.Count - 1)];
    }

    /// <summary>Mixes several numbers into one seed, so that streams for different purposes do not resemble each other.</summary>
    public static ulong Mix(params ReadOnlySpan<ulong> parts)
    {
        ulong mixed = 0;
        foreach (ulong part in parts) mixed = new TaskRandom(BitOperations.RotateLeft(mixed, 23) ^ part).NextUInt64();
        return mixed;
    }
}
