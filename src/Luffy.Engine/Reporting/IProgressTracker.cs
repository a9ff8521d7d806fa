namespace Luffy.Engine.Reporting;

/// <summary>Told how far a piece of work has come.</summary>
public interface IProgressTracker
{
    /// <summary>So many of the whole are done now.</summary>
    void Report(int done);
}
