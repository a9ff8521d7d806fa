using Luffy.Kernels;

namespace Luffy.Engine.Model;

// Low-rank adapters: y += s·(x·Aᵀ)·Bᵀ beside each product that has one. Everything is made of products and moved columns, each of them batch
// invariant, so sampling and training agree to the bit here too.
public sealed partial class TransformerModel
{
    private static LayerAdapters AdaptersOf(ParameterLayout layout, int layer) => layout.Adapters.Count == 0 ? LayerAdapters.None : layout.Adapters[layer];

    // y [T, N] += s·B·A·x for each projection in it.
    private void AdaptOutput(ParameterSet parameters, LowRankAdapter? adapter, ActivationSet a, in Tensor y, in Tensor x)
    {
        if (adapter is null) return;
        Tensor u = a.AdapterHidden(adapter.A.Rows);
        _backend.Linear.Forward(u, x, parameters.Matrix(adapter.A));
        for (int index = 0; index < adapter.Projections.Count; index++)
        {
            LowRankProjection projection = adapter.Projections[index];
            Tensor z = a.AdapterWide(projection.B.Rows);
            _backend.Linear.Forward(z, PartOf(adapter, index, a, u), parameters.Matrix(projection.B));
            _backend.Columns.Add(y, z, projection.Start, AdapterScale);
        }
    }

    // Gradients of A and B from dy [T, N] and the input x, which is computed with before anything takes its place. Leaves du [T, m·r] for AdaptInputGradient.
    private void AdaptWeightGradients(ParameterSet parameters, LowRankAdapter? adapter, ActivationSet a, in Tensor dy, in Tensor x)
    {
        if (adapter is null) return;
        Tensor u = a.AdapterHidden(adapter.A.Rows);
        _backend.Linear.Forward(u, x, parameters.Matrix(adapter.A));
        for (int index = 0; index < adapter.Projections.Count; index++)
        {
            LowRankProjection projection = adapter.Projections[index];
            Tensor dz = a.AdapterWide(projection.B.Rows), part = PartOf(adapter, index, a, u);
            _backend.Columns.Take(dz, dy, projection.Start, AdapterScale);
            _backend.Linear.BackwardWeight(parameters.Gradient(projection.B), default, dz, part);
            // Nobody needs this part of u any more.
            _backend.Linear.BackwardInput(part, dz, parameters.Matrix(projection.B));
            if (adapter.Projections.Count > 1) _backend.Columns.Put(u, part, index * projection.B.Columns);
        }

        _backend.Linear.BackwardWeight(parameters.Gradient(adapter.A), default, u, x);
    }

    // dx [T, in] += du·A.
    private void AdaptInputGradient(ParameterSet parameters, LowRankAdapter? adapter, ActivationSet a, in Tensor dx)
    {
        if (adapter is null) return;
        Tensor through = a.AdapterWide(adapter.A.Columns);
        _backend.Linear.BackwardInput(through, a.AdapterHidden(adapter.A.Rows), parameters.Matrix(adapter.A));
        _backend.Columns.Add(dx, through, 0, 1);
    }

    private float AdapterScale => Config.Adapters!.Scale;

    private Tensor PartOf(LowRankAdapter adapter, int index, ActivationSet a, in Tensor u)
    {
        if (adapter.Projections.Count == 1) return u;
        long rank = adapter.Projections[index].B.Columns;
        Tensor part = a.AdapterPart(rank);
        _backend.Columns.Take(part, u, index * rank);
        return part;
    }
}
