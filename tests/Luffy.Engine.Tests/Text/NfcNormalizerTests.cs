using Luffy.Engine.Text.Unicode;

namespace Luffy.Engine.Tests.Text;

/// <summary>Cases of UAX #15; long random text is covered by the golden ids of the Qwen-like tokenizers.</summary>
public sealed class NfcNormalizerTests
{
    [TestCase("plain ASCII", "plain ASCII")]
    [TestCase("e\u0301", "é")]
    [TestCase("\u212B", "Å", Description = "a singleton never comes back")]
    [TestCase("a\u0301\u0323", "ạ\u0301", Description = "marks are put in order before composing")]
    [TestCase("q\u0307\u0323", "q\u0323\u0307")]
    [TestCase("\u1112\u1161\u11AB", "한")]
    [TestCase("\uAC00\u11A8", "각")]
    [TestCase("\u0958", "\u0915\u093C", Description = "excluded from composition")]
    [TestCase("\u0344", "\u0308\u0301")]
    [TestCase("\u0301e", "\u0301e")]
    [TestCase("a\u0300\u0300", "à\u0300", Description = "a mark of equal class blocks the second")]
    [TestCase("\U00011099\U000110BA", "\U0001109A", Description = "beyond the basic plane")]
    [TestCase("e\u0301中e\u0301", "é中é")]
    public void Form_C(string text, string expected) => Assert.That(NfcNormalizer.Normalize(text), Is.EqualTo(expected));

    [Test]
    public void Text_without_marks_is_returned_as_it_is()
    {
        string text = new('é', 3);
        Assert.That(NfcNormalizer.Normalize(text), Is.SameAs(text));
    }
}
