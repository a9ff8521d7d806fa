using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Benchmarks;

/// <summary>
/// Random parameters and token ids, the same for the same seed. Half a billion weights take a second or two and a few megabytes of host
/// memory, so that the peak of a benchmark is that of a run.
/// </summary>
public sealed class RandomModel(ulong seed)
{
    // Uniform with the deviation 0.05 of the peers' models: values are what matters to no kernel here, their spread is.
    private const float HalfWidth = 0.05f * 1.7320508f;

    private ulong _state = seed;

    /// <summary>Fills the weights: matrices and biases around 0, norms around 1.</summary>
    public void Fill(ParameterSet parameters)
    {
        var norms = parameters.Layout.Layers.SelectMany(l => new[] { l.AttentionNorm, l.MlpNorm }).Append(parameters.Layout.FinalNorm).ToHashSet();
        foreach (Parameter p in parameters.Layout.All)
        {
            float mean = norms.Contains(p) ? 1 : 0;
            ModelWeights.Write(parameters, ParameterKind.Weight, p, new CheckpointTensor(p.Name, 0, p.Rows), (_, values) => Uniform(values, HalfWidth, mean));
        }
    }

    /// <summary>Ids below a bound.</summary>
    public int[] Ids(int count, int bound)
    {
        var ids = new int[count];
        for (int i = 0; i < count; i++) ids[i] = (int)((Next() >> 32) * (ulong)bound >> 32);
        return ids;
    }

    /// <summary>Values between mean − halfWidth and mean + halfWidth.</summary>
    public void Uniform(Span<float> values, float halfWidth, float mean = 0)
    {
        float scale = 2 * halfWidth / (1 << 24), low = mean - halfWidth;
        // Two values of 24 bits a draw.
        for (int i = 0; i + 1 < values.Length; i += 2)
        {
            ulong bits = Next();
            values[i] = low + ((bits >> 40) * scale);
            values[i + 1] = low + ((bits & 0xFFFFFF) * scale);
        }

        if (values.Length % 2 == 1) values[^1] = low + ((Next() >> 40) * scale);
    }

    // SplitMix64.
    private ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
