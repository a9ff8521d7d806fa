using System.Text;

namespace Luffy.Engine.Rollout;

/// <summary>Names a prompt to the random generator by its id in the dataset, so that its samples do not depend on its place in a batch.</summary>
public static class PromptKey
{
    /// <summary>FNV-1a over the id's UTF-8 bytes, folded to 32 bits.</summary>
    public static int Of(string id)
    {
        ulong hash = 14695981039346656037;
        foreach (byte b in Encoding.UTF8.GetBytes(id)) hash = (hash ^ b) * 1099511628211;
        return unchecked((int)(uint)(hash ^ (hash >> 32)));
    }

    /// <summary>The generator's seed of one step: SplitMix64 of the run's seed and the step.</summary>
    public static ulong StepSeed(long runSeed, int step)
    {
        ulong z = unchecked(((ulong)runSeed * 0x9E3779B97F4A7C15) + ((ulong)(uint)step * 0xD1B54A32D192ED03) + 0x8CB92BA72F3D8DD7);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>The generator's seed where a step samples several times: that of the step the first time, another each further time.</summary>
    public static ulong StepSeed(long runSeed, int step, int round)
    {
        ulong seed = StepSeed(runSeed, step);
        return round == 0 ? seed : StepSeed(unchecked((long)seed), round);
    }

    /// <summary>A number from [0, 1) that a step's seed, a prompt and a row decide; no part of what the row is sampled by.</summary>
    /// <param name="seed">The step's.</param>
    /// <param name="prompt">The prompt's key.</param>
    /// <param name="row">Number of the row.</param>
    public static double Uniform(ulong seed, int prompt, int row) => (StepSeed(unchecked((long)StepSeed(unchecked((long)seed), prompt)), row) >> 11) * (1.0 / (1UL << 53));
}
