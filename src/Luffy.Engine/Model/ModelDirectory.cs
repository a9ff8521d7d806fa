using System.Text.RegularExpressions;
using Luffy.Engine.Checkpoint;

namespace Luffy.Engine.Model;

/// <summary>
/// What a model's name stands for: a built-in model, a folder, or a model of the Hugging Face Hub that is in the local cache as
/// <c>huggingface_hub</c> keeps it (<c>models--ORG--NAME/refs/main</c> names a commit, <c>snapshots/COMMIT</c> has its files as links). Nothing
/// is downloaded here.
/// </summary>
public static partial class ModelDirectory
{
    /// <summary>The chat template of a model directory, which wins over the one within tokenizer_config.json.</summary>
    public const string ChatTemplateFile = "chat_template.jinja";

    private const string Revision = "main", TemplateFolder = "additional_chat_templates";

    private static readonly string[] Companions =
    [
        "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
        "tokenizer.model", ChatTemplateFile, "chat_template.json",
    ];

    /// <summary>The directory of a model name.</summary>
    /// <param name="nameOrPath">As a user wrote it: <c>model_name_or_path</c>, <c>--model</c>.</param>
    /// <exception cref="LuffyException">It is the name of a Hub model that the cache does not hold.</exception>
    public static string Resolve(string nameOrPath)
    {
        if (BuiltInModel.DirectoryOf(nameOrPath) is { } builtIn) return builtIn;
        // A folder of that name comes first, as in Transformers; and what cannot be a Hub name is a path, even a wrong one.
        return Directory.Exists(nameOrPath) || !HubName().IsMatch(nameOrPath) ? nameOrPath : Snapshot(nameOrPath, HubCache());
    }

    /// <summary>
    /// The files of a model directory beside config.json and the weights that belong to a copy with other weights: what Transformers and
    /// llama.cpp read to tokenise, to render conversations and to generate. Relative paths; only those that are there.
    /// </summary>
    public static string[] CompanionFiles(string directory)
    {
        string templates = Path.Combine(directory, TemplateFolder);
        IEnumerable<string> further = Directory.Exists(templates)
            ? Directory.GetFiles(templates, "*.jinja").Order(StringComparer.Ordinal).Select(f => Path.Combine(TemplateFolder, Path.GetFileName(f))) : [];
        return [.. Companions.Where(name => File.Exists(Path.Combine(directory, name))), .. further];
    }

    /// <summary>Where a model's tokenizer is: adapters may come without one, and then it is that of the model that they are for.</summary>
    public static string TokenizerOf(string directory) =>
        !File.Exists(Path.Combine(directory, "tokenizer.json")) && AdapterDirectory.Find(directory) is { } adapter ? adapter.BaseDirectory : directory;

    private static string Snapshot(string name, string cache)
    {
        string model = Path.Combine(cache, "models--" + name.Replace("/", "--", StringComparison.Ordinal)), reference = Path.Combine(model, "refs", Revision);
        string? missing = !Directory.Exists(model) ? "does not hold this model" : !File.Exists(reference) ? $"does not hold its revision {Revision}" : null;
        if (missing is null)
        {
            string snapshot = Path.Combine(model, "snapshots", Commit(reference));
            if (File.Exists(Path.Combine(snapshot, ModelConfigFile.FileName))) return snapshot;
            missing = $"lacks {ModelConfigFile.FileName} of it";
        }

        throw new LuffyException($"{name}: there is no such folder, and the Hugging Face cache ({cache}) {missing}; download it with: hf download {name}");
    }

    private static string Commit(string reference)
    {
        try
        {
            string commit = File.ReadAllText(reference).Trim();
            // It becomes part of a path.
            return commit.Length > 0 && commit.All(char.IsAsciiLetterOrDigit) ? commit
                : throw new LuffyException($"{reference}: it does not name a commit; remove the model from the cache and download it again");
        }
        catch (Exception e) when (StorageErrors.IsStorageError(e))
        {
            throw StorageErrors.Reading(reference, e);
        }
    }

    // In huggingface_hub's order.
    private static string HubCache()
    {
        if ((Place("HF_HUB_CACHE") ?? Place("HUGGINGFACE_HUB_CACHE")) is { } cache) return cache;
        string home = Place("HF_HOME") ?? Path.Combine(Place("XDG_CACHE_HOME") ?? Path.Combine(UserHome, ".cache"), "huggingface");
        return Path.Combine(home, "hub");
    }

    private static string UserHome => Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify);

    private static string? Place(string variable) => Environment.GetEnvironmentVariable(variable) switch
    {
        null or "" => null,
        "~" => UserHome,
        { } path when path.StartsWith("~/", StringComparison.Ordinal) => Path.Combine(UserHome, path[2..]),
        { } path => path,
    };

    // ORG/NAME: letters, digits, '-', '_' and '.', neither first nor last of them '-' or '.'.
    [GeneratedRegex(@"^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?/[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$")]
    private static partial Regex HubName();
}
