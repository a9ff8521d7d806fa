using System.Numerics;

namespace Luffy.Engine.Rewards.Math;

/// <summary>
/// The atoms of normal forms: unknowns, constants, radicals of integers, and terms that are taken as a whole. Equal atoms have one number.
/// A table serves one comparison, so that both sides share it.
/// </summary>
internal sealed class AtomTable
{
    private readonly Dictionary<string, int> numbers = [];
    private readonly List<(string Key, int Order, Rational Radicand)> atoms = [];

    /// <summary>The number of an atom without a power that is a number.</summary>
    public int Get(string key) => Get(key, 0, default);

    /// <summary>The number of the principal root of a rational; its power of that order is the rational.</summary>
    /// <param name="order">Of the root, at least 2; of −1 the second root is i.</param>
    /// <param name="radicand">What it is a root of.</param>
    public int GetRoot(int order, Rational radicand) => Get($"root({order},{radicand})", order, radicand);

    /// <summary>Whether an atom is an unknown or π: of these, polynomials with different coefficients are different numbers.</summary>
    public bool IsFree(int atom) => atoms[atom].Key is ['x', ':', ..] or "pi";

    /// <summary>The key that an atom was made with.</summary>
    public string Key(int atom) => atoms[atom].Key;

    /// <summary>The order of a root and its radicand; order 0 for any other atom.</summary>
    public (int Order, Rational Radicand) Root(int atom) => (atoms[atom].Order, atoms[atom].Radicand);

    private int Get(string key, int order, Rational radicand)
    {
        if (numbers.TryGetValue(key, out int number)) return number;
        atoms.Add((key, order, radicand));
        return numbers[key] = atoms.Count - 1;
    }
}
