using CsCheck;
using Luffy.Engine.Configuration;

namespace Luffy.Engine.Tests.Configuration;

public sealed class NearestKeyTests
{
    [TestCase("", "", 0)]
    [TestCase("kitten", "sitting", 3)]
    [TestCase("ab", "ba", 1)]
    [TestCase("abc", "", 3)]
    public void Distances_are_counted_as_edits(string a, string b, int distance) => Assert.That(NearestKey.Distance(a, b), Is.EqualTo(distance));

    [Test]
    public void Distance_is_symmetric_and_zero_only_for_equals() =>
        Gen.Select(Gen.String[Gen.Char["abc"], 0, 8], Gen.String[Gen.Char["abc"], 0, 8]).Sample((a, b) =>
            NearestKey.Distance(a, b) == NearestKey.Distance(b, a) && NearestKey.Distance(a, b) == 0 == (a == b));
}
