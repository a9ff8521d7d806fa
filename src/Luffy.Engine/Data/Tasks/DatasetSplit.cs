using System.Text;

namespace Luffy.Engine.Data.Tasks;

/// <summary>Which part of the problems: the three share none.</summary>
public enum DatasetSplit
{
    /// <summary>80% of the problems: pretraining and reinforcement learning see only these.</summary>
    Train,

    /// <summary>10%: for choosing settings.</summary>
    Validation,

    /// <summary>10%: for reported figures.</summary>
    Test,
}

/// <summary>
/// Assigns a problem to its split by a hash of its canonical key. A problem has one key, hence one split: overlap is impossible
/// by construction, whatever seeds the data sets were drawn with.
/// </summary>
public static class TaskSplit
{
    /// <summary>The split of a problem with this key (FNV-1a, 64 bits, then mixed, because FNV's low bits alone are regular on digits).</summary>
    public static DatasetSplit Of(string key)
    {
        return (Hash(key) % 10) switch
        {
            < 8 => DatasetSplit.Train,
            8 => DatasetSplit.Validation,
            _ => DatasetSplit.Test,
        };
    }

    /// <summary>A 64-bit hash of the text's UTF-8 bytes that never changes between versions of this program.</summary>
    public static ulong Hash(string key)
    {
        ulong hash = 14695981039346656037UL;
        foreach (byte value in Encoding.UTF8.GetBytes(key)) hash = (hash ^ value) * 1099511628211UL;
        return TaskRandom.Mix(hash);
    }
}
