namespace Luffy.Engine.Data;

/// <summary>Why a prompt or a demonstration was left out at load.</summary>
public enum RefusalReason
{
    /// <summary>The prompt has more tokens than max_prompt_length.</summary>
    PromptTooLong,

    /// <summary>The prompt holds an id that the model has no embedding for.</summary>
    PromptIdOutOfRange,

    /// <summary>The demonstration holds an id that the model has no embedding for.</summary>
    DemonstrationIdOutOfRange,

    /// <summary>The demonstration came as ids and does not end in end-of-text: the model would learn never to stop.</summary>
    DemonstrationWithoutEndOfText,

    /// <summary>The demonstration has an end-of-text before its end: nothing after it could ever be sampled.</summary>
    DemonstrationEndsTwice,

    /// <summary>The demonstration, end-of-text included, has more tokens than max_completion_length.</summary>
    DemonstrationTooLong,

    /// <summary>The reward does not call the demonstration's answer right.</summary>
    DemonstrationNotVerified,

    /// <summary>A field of the dataset (columns.demonstration_flags) says that the demonstration is wrong or incomplete.</summary>
    DemonstrationFlagged,

    /// <summary>The recorded log-probs are not one for each token, or are no logarithms of probabilities.</summary>
    DemonstrationLogProbsUnfit,

    /// <summary>No demonstration of the prompt is left, and require_demonstration asks for one.</summary>
    PromptWithoutDemonstration,
}
