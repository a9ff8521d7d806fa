namespace Luffy.Engine.Rewards.Math;

/// <summary>What an answer says, as a tree whose depth the parser bounds. A node compares by reference; equality of values is another matter.</summary>
internal abstract class Expression;

/// <summary>A number as written.</summary>
/// <param name="value">Its exact value.</param>
/// <param name="decimals">Digits behind the decimal point after its power of ten is applied; 0 or less for integers and fractions.</param>
/// <param name="significant">Significant digits where it has a decimal point or a power of ten, else 0: then it is exact.</param>
internal sealed class Literal(Rational value, int decimals = 0, int significant = 0) : Expression
{
    public Rational Value => value;
    public int Decimals => decimals;
    public int Significant => significant;
}

/// <summary>An unknown with its index, accents and primes: <c>x</c>, <c>alpha</c>, <c>m_max</c>.</summary>
internal sealed class Variable(string name) : Expression
{
    public string Name => name;
}

/// <summary>The constants that have a name.</summary>
internal enum ConstantKind { Pi, E, ImaginaryUnit, Infinity, Reals }

/// <summary>π, e, i, ∞ or ℝ.</summary>
internal sealed class Constant(ConstantKind kind) : Expression
{
    public ConstantKind Kind => kind;
}

/// <summary>A sum of at least two terms.</summary>
internal sealed class Sum(IReadOnlyList<Expression> terms) : Expression
{
    public IReadOnlyList<Expression> Terms => terms;
}

/// <summary>A product of at least two factors; a quotient has the divisor's power of −1.</summary>
internal sealed class Product(IReadOnlyList<Expression> factors) : Expression
{
    public IReadOnlyList<Expression> Factors => factors;
}

/// <summary>A power.</summary>
internal sealed class Power(Expression @base, Expression exponent) : Expression
{
    public Expression Base => @base;
    public Expression Exponent => exponent;
}

/// <summary>A function of its arguments: one of <see cref="LatexVocabulary.Functions"/>, or an unknown one such as <c>f</c>.</summary>
internal sealed class Call(string function, params IReadOnlyList<Expression> arguments) : Expression
{
    public string Function => function;
    public IReadOnlyList<Expression> Arguments => arguments;
}

/// <summary>±a or ∓a; the number tells which sign it is, in the order of writing.</summary>
internal sealed class PlusMinus(Expression operand, int number, bool minusFirst) : Expression
{
    public Expression Operand => operand;
    public int Number => number;
    public bool MinusFirst => minusFirst;
}

/// <summary>What encloses items.</summary>
internal enum CollectionKind
{
    /// <summary>Nothing: <c>1, 2</c>, without an order.</summary>
    List,

    /// <summary>( ): an ordered tuple, or an open interval.</summary>
    Tuple,

    /// <summary>[ ]: a closed interval, or an ordered tuple.</summary>
    Bracketed,

    /// <summary>( ].</summary>
    LeftOpen,

    /// <summary>[ ).</summary>
    RightOpen,

    /// <summary>\{ \}: without order and repetition.</summary>
    Set,
}

/// <summary>Items between delimiters.</summary>
internal sealed class Collection(CollectionKind kind, IReadOnlyList<Expression> items) : Expression
{
    public CollectionKind Kind => kind;
    public IReadOnlyList<Expression> Items => items;
}

/// <summary>A matrix, at least one row of at least one entry, all of one length.</summary>
internal sealed class Matrix(IReadOnlyList<IReadOnlyList<Expression>> rows) : Expression
{
    public IReadOnlyList<IReadOnlyList<Expression>> Rows => rows;
}

/// <summary>A union (∪), intersection (∩) or difference (∖) of sets.</summary>
internal sealed class SetOperation(char @operator, Expression left, Expression right) : Expression
{
    public char Operator => @operator;
    public Expression Left => left;
    public Expression Right => right;
}

/// <summary>Sides with a relation between neighbours: <c>1 &lt; x ≤ 2</c> has three. Operators: = ≠ &lt; &gt; ≤ ≥ ∈ ≡.</summary>
internal sealed class Relation(IReadOnlyList<Expression> sides, IReadOnlyList<char> operators) : Expression
{
    public IReadOnlyList<Expression> Sides => sides;
    public IReadOnlyList<char> Operators => operators;
}

/// <summary>A value with a unit in its normal spelling, <c>%</c> among them.</summary>
internal sealed class Quantity(Expression value, string unit) : Expression
{
    public Expression Value => value;
    public string Unit => unit;
}

/// <summary>Digits in a base: <c>52_8</c>.</summary>
internal sealed class BasedNumber(string digits, int @base) : Expression
{
    public string Digits => digits;
    public int Base => @base;
}

/// <summary>a : b : …, at least two parts.</summary>
internal sealed class Ratio(IReadOnlyList<Expression> parts) : Expression
{
    public IReadOnlyList<Expression> Parts => parts;
}

/// <summary>Words.</summary>
internal sealed class Phrase(string text) : Expression
{
    public string Text => text;
}
