using Luffy.Engine.Model;
using Luffy.Kernels;

namespace Luffy.Engine.Rollout;

/// <summary>Keys are in the paged cache; those of the current tokens are stored first.</summary>
internal sealed class PagedKeys(IBackend backend, KvCache cache, ActivationSet activations) : AttentionKeys
{
    private readonly AttentionShape _shape = ActivationPlan.AttentionOf(activations.Plan.Config);

    public override void Attend(int layer, in Tensor y, in Tensor logSumExp, in Tensor qkv)
    {
        cache.Store(layer, qkv, activations.Slots);
        backend.Attention.ForwardPaged(y, qkv, cache.Layer(layer), activations.PageTable, activations.SequenceStarts,
            activations.ContextLengths, cache.Pages, _shape);
    }
}
