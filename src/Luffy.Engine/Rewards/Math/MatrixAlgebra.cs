namespace Luffy.Engine.Rewards.Math;

/// <summary>
/// Works out sums, products, powers, transposes and determinants of matrices, so that what is left compares entry by entry. What has no
/// value, such as a sum of different sizes, stays as it is and equals nothing.
/// </summary>
/// <param name="budget">What one verification may take.</param>
internal sealed class MatrixAlgebra(VerificationBudget budget)
{
    private const int LargestDeterminant = 5, LargestPower = 10, MostProducts = 12, Largest = 8;

    private int products;

    /// <summary>The expression with every calculation of matrices replaced by what it gives.</summary>
    public Expression Evaluate(Expression expression) => ExpressionRewriter.Rewrite(expression, Combined);

    // A matrix or a determinant in a calculation's place; null for anything else, whose parts may hold one.
    private Expression? Combined(Expression node)
    {
        budget.Spend();
        return node switch
        {
            Sum sum => Added(sum),
            Product product => Multiplied(product),
            Power power => Raised(power),
            Call { Function: "det" or "abs", Arguments: [var only] } when Operand(only) is Matrix matrix => Determinant(matrix),
            _ => null,
        };
    }

    private Expression Operand(Expression expression) => Combined(expression) ?? expression;

    private Matrix? Added(Sum sum)
    {
        var terms = sum.Terms.Select(Operand).OfType<Matrix>().ToList();
        if (terms.Count != sum.Terms.Count || terms.Any(term => term.Rows.Count != terms[0].Rows.Count || term.Rows[0].Count != terms[0].Rows[0].Count)) return null;
        return Of(terms[0].Rows.Count, terms[0].Rows[0].Count, (i, j) => Total([.. terms.Select(term => term.Rows[i][j])]));
    }

    private Matrix? Multiplied(Product product)
    {
        Matrix? matrix = null;
        var scalars = new List<Expression>();
        foreach (var factor in product.Factors.Select(Operand))
        {
            if (factor is not Matrix next) scalars.Add(factor);
            else if (matrix is null) matrix = next;
            else if (Times(matrix, next) is { } both) matrix = both;
            else return null;
        }

        if (matrix is null || scalars.Any(HasMatrix)) return null;
        return scalars.Count == 0 ? matrix : Of(matrix.Rows.Count, matrix.Rows[0].Count, (i, j) => Result([.. scalars, matrix.Rows[i][j]]));
    }

    private Matrix? Raised(Power power)
    {
        if (Operand(power.Base) is not Matrix matrix) return null;
        if (power.Exponent is Variable { Name: "T" }) return Of(matrix.Rows[0].Count, matrix.Rows.Count, (i, j) => matrix.Rows[j][i]);
        if (power.Exponent is not Literal { Value: { IsInteger: true } exponent } || exponent.CompareTo(1) < 0 || exponent.CompareTo(LargestPower) > 0) return null;
        Matrix? raised = matrix;
        for (int i = 1; i < (int)exponent.Numerator && raised is not null; i++) raised = Times(raised, matrix);
        return raised;
    }

    private Matrix? Times(Matrix left, Matrix right)
    {
        int inner = right.Rows.Count;
        if (left.Rows[0].Count != inner) return null;
        if (++products > MostProducts || int.Max(inner, int.Max(left.Rows.Count, right.Rows[0].Count)) > Largest)
            throw new VerificationLimitException($"an answer has more than {MostProducts} products of matrices, or one above {Largest} rows and columns");
        return Of(left.Rows.Count, right.Rows[0].Count, (i, j) => Total([.. Enumerable.Range(0, inner).Select(k => Result([left.Rows[i][k], right.Rows[k][j]]))]));
    }

    private Expression? Determinant(Matrix matrix)
    {
        int size = matrix.Rows.Count;
        if (matrix.Rows[0].Count != size) return null;
        if (size > LargestDeterminant) throw new VerificationLimitException($"a determinant has more than {LargestDeterminant} rows");
        return Minor(matrix, [.. Enumerable.Range(0, size)]);
    }

    // Expansion along the first of the rows that are left, which are as many as the columns.
    private Expression Minor(Matrix matrix, List<int> columns)
    {
        var row = matrix.Rows[matrix.Rows.Count - columns.Count];
        if (columns.Count == 1) return row[columns[0]];
        return Total([.. columns.Select((column, i) =>
            Result([new Literal(i % 2 == 0 ? 1 : -1), row[column], Minor(matrix, [.. columns.Where(other => other != column)])]))]);
    }

    private static Matrix Of(int rows, int columns, Func<int, int, Expression> entry) =>
        new([.. Enumerable.Range(0, rows).Select(i => (IReadOnlyList<Expression>)[.. Enumerable.Range(0, columns).Select(j => entry(i, j))])]);

    // Exact numbers are worked out at once, lest entries grow with every product.
    private Expression Total(List<Expression> terms)
    {
        budget.Spend(terms.Count);
        return terms.TrueForAll(IsExact) ? new Literal(terms.Cast<Literal>().Aggregate(Rational.Zero, (sum, term) => Bounded(sum + term.Value))) : new Sum(terms);
    }

    private Expression Result(List<Expression> factors)
    {
        budget.Spend(factors.Count);
        return factors.TrueForAll(IsExact) ? new Literal(factors.Cast<Literal>().Aggregate(Rational.One, (product, factor) => Bounded(product * factor.Value))) : new Product(factors);
    }

    private static bool IsExact(Expression expression) => expression is Literal { Significant: 0 };

    private static Rational Bounded(Rational value) =>
        value.Bits <= 20_000 ? value : throw new VerificationLimitException("an entry of a matrix has more than 20000 bits");

    private static bool HasMatrix(Expression expression)
    {
        bool found = false;
        ExpressionRewriter.Rewrite(expression, node =>
        {
            found |= node is Matrix;
            return found ? node : null;
        });
        return found;
    }
}
