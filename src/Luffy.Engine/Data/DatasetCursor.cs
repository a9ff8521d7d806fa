namespace Luffy.Engine.Data;

/// <summary>How far a dataset has been used: what a checkpoint saves to go on with the very next prompt.</summary>
/// <param name="Epoch">Times that all prompts have been gone through.</param>
/// <param name="Position">Prompts of the current epoch already used.</param>
public readonly record struct DatasetCursor(int Epoch, int Position);
