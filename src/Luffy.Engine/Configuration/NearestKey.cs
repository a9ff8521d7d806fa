namespace Luffy.Engine.Configuration;

/// <summary>Finds the name that somebody probably meant.</summary>
public static class NearestKey
{
    /// <summary>What other trainers call something that has another name here.</summary>
    private static readonly Dictionary<string, string> OtherNames = new(StringComparer.Ordinal)
    {
        ["batch_size"] = "prompts_per_step",
        ["train_batch_size"] = "prompts_per_step",
        ["per_device_train_batch_size"] = "prompts_per_step",
        ["generation_batch_size"] = "rollout_batch_size",
        ["gradient_accumulation_steps"] = "tokens_per_micro_batch",
        ["gradient_clip"] = "max_grad_norm",
        ["lr"] = "learning_rate",
        ["betas"] = "adam_beta1",
        ["model"] = "model_name_or_path",
        ["dataset"] = "dataset_name",
        ["gamma"] = "off_policy_gamma",
        ["kl_coef"] = "beta",
        ["kl_loss_coef"] = "beta",
        ["clip_ratio"] = "epsilon",
        ["entropy_coeff"] = "entropy_coef",
        ["n"] = "num_generations",
        ["total_training_steps"] = "max_steps",
        ["steps"] = "max_steps",
    };

    /// <summary>The known name nearest to <paramref name="name"/>, or null where none is near.</summary>
    public static string? Find(string name, IReadOnlyCollection<string> known)
    {
        if (OtherNames.TryGetValue(name, out string? other) && known.Contains(other))
            return other;
        string? best = known.MinBy(candidate => Distance(name, candidate));
        return best != null && Distance(name, best) <= Math.Max(2, name.Length / 3) ? best : null;
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that turn one text into the other (optimal string alignment).</summary>
    public static int Distance(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            cost[i, 0] = i;
        for (int j = 0; j <= b.Length; j++)
            cost[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int replace = cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replace, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        }
        return cost[a.Length, b.Length];
    }
}
