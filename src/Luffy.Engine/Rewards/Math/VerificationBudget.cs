namespace Luffy.Engine.Rewards.Math;

/// <summary>
/// Bounds the work of one verification by counting steps, so that the bound is the same on any machine and under any load. A step is at
/// most about a microsecond; all of them together stay well below 100 ms.
/// </summary>
internal sealed class VerificationBudget(long steps = VerificationBudget.Default)
{
    /// <summary>Steps for one pair of answers.</summary>
    public const long Default = 30_000;

    private long left = steps, floor;

    /// <summary>Steps that are left.</summary>
    public long Left => left;

    /// <summary>Takes steps.</summary>
    /// <exception cref="VerificationLimitException">There are not as many.</exception>
    public void Spend(long count = 1)
    {
        left -= count;
        if (left < floor) throw new VerificationLimitException("the comparison takes too many steps");
    }

    /// <summary>Runs a part that may take a share of what is left; null where it wants more, or meets another limit.</summary>
    public T? Try<T>(long most, Func<T?> part) where T : class
    {
        long outer = floor;
        floor = long.Max(outer, left - most);
        try
        {
            return part();
        }
        catch (VerificationLimitException) when (left >= outer)
        {
            return null;
        }
        finally
        {
            floor = outer;
        }
    }
}

/// <summary>An answer is beyond a bound of the verifier; caught where a verification begins, which then scores 0 and tells the reason.</summary>
/// <param name="reason">What is beyond which bound.</param>
internal sealed class VerificationLimitException(string reason) : Exception(reason);
