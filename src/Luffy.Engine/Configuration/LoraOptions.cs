using Luffy.Engine.Model;

namespace Luffy.Engine.Configuration;

/// <summary>Low-rank adapters (LoRA) in place of training every weight. Keys are TRL's.</summary>
public sealed record LoraOptions
{
    /// <summary>Train low-rank adapters and leave the model's own weights as they are: a fraction of the memory. Wants a learning rate about ten times as large.</summary>
    public bool UsePeft { get; init; }

    /// <summary>Rank of the adapters.</summary>
    [Bounds(Minimum = 1, Maximum = LowRankConfig.LargestRank)]
    public int LoraR { get; init; } = 16;

    /// <summary>What an adapter adds is scaled by lora_alpha/lora_r, or by lora_alpha/√lora_r with use_rslora.</summary>
    [Bounds(Minimum = 1e-6)]
    public double LoraAlpha { get; init; } = 32;

    /// <summary>Scale by the root of the rank, so that large ranks learn as fast (rsLoRA).</summary>
    public bool UseRslora { get; init; }

    /// <summary>Projections that get an adapter: some of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, or all-linear for all of them.</summary>
    public IReadOnlyList<string> LoraTargetModules { get; init; } = [LowRankConfig.AllLinear];

    /// <summary>What the model gets; null where every weight is trained.</summary>
    /// <exception cref="LuffyException">A name is none of a projection, or is there twice.</exception>
    public LowRankConfig? Adapters() => UsePeft ? new LowRankConfig(LoraR, LoraAlpha, UseRslora, Targets()) : null;

    private LowRankTarget[] Targets()
    {
        if (LoraTargetModules is [LowRankConfig.AllLinear]) return [.. LowRankConfig.AllTargets];
        foreach (string name in LoraTargetModules)
        {
            if (!LowRankConfig.AllTargets.Any(t => LowRankConfig.NameOf(t) == name))
            {
                throw LuffyException.Usage($"lora_target_modules: found '{name}', expected some of {string.Join(", ", LowRankConfig.AllTargets.Select(LowRankConfig.NameOf))}, " +
                    $"or {LowRankConfig.AllLinear} alone");
            }
        }

        LowRankTarget[] targets = [.. LowRankConfig.AllTargets.Where(t => LoraTargetModules.Contains(LowRankConfig.NameOf(t)))];
        if (targets.Length == 0) throw LuffyException.Usage($"lora_target_modules is empty, but use_peft is true; name projections, or {LowRankConfig.AllLinear}");
        return targets.Length == LoraTargetModules.Count ? targets
            : throw LuffyException.Usage($"lora_target_modules names a projection twice: {string.Join(", ", LoraTargetModules)}");
    }
}
