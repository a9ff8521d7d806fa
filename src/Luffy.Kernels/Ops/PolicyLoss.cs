namespace Luffy.Kernels;

/// <summary>Rows of the per-token output of <see cref="IPolicyLoss"/>.</summary>
public enum TokenStatistic
{
    /// <summary>ln π(target) at the temperature.</summary>
    LogProb = 0,

    /// <summary>Entropy of the whole distribution, in nats.</summary>
    Entropy = 1,

    /// <summary>ln Σ e^(z/T).</summary>
    LogSumExp = 2,

    /// <summary>The policy term before the token's weight: −A·w, or its clipped form.</summary>
    PolicyLoss = 3,

    /// <summary>w: the ratio, or the shaped probability, after its bounds.</summary>
    Weight = 4,

    /// <summary>d(policy term)/d ln π, before the token's weight and without the entropy and KL terms.</summary>
    PolicyGradient = 5,

    /// <summary>The KL estimate; 0 without reference log-probs.</summary>
    Kl = 6,

    /// <summary>
    /// 1 on-policy where PPO's clip is active (the clipped loss is the larger), 2 where the upper bound of the off-policy weight or of
    /// <see cref="PolicyShaping.ClippedRatio"/> is, 3 where the lower is, 4 dropped by MaxProbability, else 0.
    /// </summary>
    Clipped = 7,
}

/// <summary>Per-token inputs of the objective, all [R] and F32 unless said.</summary>
/// <param name="Targets">I32: the token whose probability counts.</param>
/// <param name="Advantages">A.</param>
/// <param name="OldLogProbs">ln π_old of the token at the temperature; read for on-policy tokens, and for all by <see cref="PolicyShaping.MultipleImportance"/>. NaN means the current one: ratio exactly 1, gradient flowing.</param>
/// <param name="OffPolicy">I32: 1 for demonstration tokens, 0 for sampled ones.</param>
/// <param name="Weights">1/denominator of the normaliser; 0 takes the token out.</param>
/// <param name="BehaviorLogProbs">
/// Optional: ln q of the policy that wrote an off-policy token where recorded (then its shaping is <see cref="PolicyLossOptions.BehaviorShaping"/>),
/// NaN elsewhere.
/// </param>
/// <param name="ReferenceLogProbs">Optional: ln π_ref, needed by the KL term.</param>
public readonly record struct PolicyTokens(Tensor Targets, Tensor Advantages, Tensor OldLogProbs, Tensor OffPolicy, Tensor Weights,
    Tensor BehaviorLogProbs = default, Tensor ReferenceLogProbs = default);

/// <summary>
/// LM head, temperature, log-softmax, entropy, the mixed-policy objective and all their gradients in one operation: logits exist only
/// as tiles, and the softmax of as many rows as a store of a fixed size holds. The log-sum-exp is that of vocabulary blocks of a fixed
/// size, each in one order of its own, added up in ascending order; each logit is <see cref="ILinear"/>'s chain over H. So a token's
/// log-prob has the same bits in any batch, and in <see cref="ISampling"/>.
/// </summary>
public interface IPolicyLoss
{
    /// <summary>Bytes of scratch for R rows, hidden size H and vocabulary V, forward and backward.</summary>
    long ScratchBytes(long rows, long hiddenSize, long vocabulary, DType dtype);

    /// <summary>Log-prob, entropy and log-sum-exp of every row; the other statistics are set to 0.</summary>
    /// <param name="statistics">[8, R] F32 =, rows by <see cref="TokenStatistic"/>.</param>
    /// <param name="hidden">[R, H]: the hidden state that predicts the target.</param>
    /// <param name="head">[V, H], the dtype of hidden.</param>
    /// <param name="targets">[R] I32.</param>
    /// <param name="temperature">Divides the logits.</param>
    /// <param name="scratch">[<see cref="ScratchBytes"/>] U8.</param>
    void LogProb(in Tensor statistics, in Tensor hidden, in LinearWeight head, in Tensor targets, float temperature, in Tensor scratch);

    /// <summary>
    /// Loss, statistics and gradients. The composition of LogProb, the per-token objective, and softmax's gradient through the
    /// head.
    /// </summary>
    /// <param name="dHidden">[R, H] =, the dtype of hidden.</param>
    /// <param name="dHead">[V, H] F32 +=, over ascending rows; absent where the head is not trained, and then no product is made for it.</param>
    /// <param name="statistics">[8, R] F32 =.</param>
    /// <param name="hidden">[R, H].</param>
    /// <param name="head">[V, H].</param>
    /// <param name="tokens">Per-token inputs.</param>
    /// <param name="options">Settings of the objective.</param>
    /// <param name="scratch">[<see cref="ScratchBytes"/>] U8.</param>
    void ForwardBackward(in Tensor dHidden, in Tensor dHead, in Tensor statistics, in Tensor hidden, in LinearWeight head,
        in PolicyTokens tokens, in PolicyLossOptions options, in Tensor scratch);
}
