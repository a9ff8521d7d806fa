using System.Reflection;
using ILGPU.Runtime;
using Luffy.Kernels.Ilgpu.Products;

namespace Luffy.Kernels.Ilgpu;

/// <summary>
/// Marks a static method as a kernel, so that <see cref="KernelRegistry"/> finds it; a method without it cannot be launched. It may be generic:
/// parameters that are <see cref="IStorage{TSelf}"/> are filled in with every storage, those that are <see cref="ITileProduct{TStorage}"/>
/// with every tile of that storage, others with the <see cref="Variants"/> that fit.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class KernelAttribute : Attribute
{
    /// <summary>Structs for type parameters that are no storages: constants of a tile, for example.</summary>
    public Type[] Variants { get; init; } = [];

    /// <summary>The most threads of a group that it is launched with, which lets it have more registers; 0 where that is left open.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// Groups of so many <see cref="Threads"/> that a multiprocessor should hold at once, which bounds registers: one number for each of
    /// <see cref="Variants"/>, or one for all; none where that is left open.
    /// </summary>
    public int[] Groups { get; init; } = [];
}

/// <summary>
/// Every kernel of this assembly with every choice of its type parameters. Tests compile them all without a GPU, and the launcher refuses
/// what is not here, so that nothing runs on a GPU that was never compiled for one.
/// </summary>
internal static class KernelRegistry
{
    private static readonly Type[] Storages = [typeof(F32Storage), typeof(Bf16Storage)];
    private static readonly Lazy<IReadOnlyDictionary<string, MethodInfo>> Kernels = new(Find);

    /// <summary>Kernels by name, as <c>SwiGlu.Forward&lt;Bf16Storage&gt;</c>.</summary>
    public static IReadOnlyDictionary<string, MethodInfo> All => Kernels.Value;

    /// <summary>The name of a kernel: its operation, its method, the types that it was made with.</summary>
    public static string Name(MethodInfo kernel)
    {
        string type = kernel.DeclaringType!.Name;
        const string suffix = "Kernels";
        if (type.EndsWith(suffix, StringComparison.Ordinal)) type = type[..^suffix.Length];
        return $"{type}.{kernel.Name}{Arguments(kernel.GetGenericArguments())}";
    }

    /// <summary>What the compiler is told of how a kernel will be launched.</summary>
    public static KernelSpecialization Specialization(MethodInfo kernel)
    {
        if (kernel.GetCustomAttribute<KernelAttribute>() is not { Threads: > 0 } known) return KernelSpecialization.Empty;
        int variant = Array.FindIndex(known.Variants, kernel.GetGenericArguments().Contains);
        int? groups = known.Groups.Length == 0 ? null : known.Groups[known.Groups.Length == 1 ? 0 : variant];
        return new KernelSpecialization(known.Threads, groups);
    }

    private static string Arguments(Type[] types) => types.Length == 0 ? "" : $"<{string.Join(", ", types.Select(Name))}>";

    private static string Name(Type type) => type.Name.Split('`')[0] + Arguments(type.GetGenericArguments());

    private static Dictionary<string, MethodInfo> Find()
    {
        const BindingFlags statics = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        Dictionary<string, MethodInfo> found = [];
        foreach (MethodInfo method in typeof(KernelRegistry).Assembly.GetTypes().SelectMany(type => type.GetMethods(statics)))
        {
            if (method.GetCustomAttribute<KernelAttribute>() is not { } attribute) continue;
            foreach (MethodInfo kernel in Made(method, attribute)) found.Add(Name(kernel), kernel);
        }

        return found;
    }

    private static IEnumerable<MethodInfo> Made(MethodInfo method, KernelAttribute attribute)
    {
        if (!method.IsGenericMethodDefinition) return [method];
        IEnumerable<Type[]> choices = [[]];
        foreach (Type parameter in method.GetGenericArguments())
        {
            if (!Candidates(parameter, attribute).Any())
                throw new InvalidOperationException($"kernel {Name(method)} names no type for its parameter {parameter.Name}");
            choices = choices.SelectMany(chosen => Candidates(parameter, attribute).Where(type => Fits(type, parameter, chosen))
                .Select(type => (Type[])[.. chosen, type]));
        }

        return choices.Select(types => method.MakeGenericMethod(types));
    }

    private static IEnumerable<Type> Candidates(Type parameter, KernelAttribute attribute)
    {
        Type[] interfaces = [.. Interfaces(parameter)];
        return
            interfaces.Any(type => IsMadeOf(type, typeof(IStorage<>))) ? Storages :
            interfaces.Any(type => IsMadeOf(type, typeof(ITileProduct<>))) ? ProductTiles.All :
            attribute.Variants.Where(variant => interfaces.All(wanted => wanted.IsAssignableFrom(variant)));
    }

    // Whether a tile is one of the storage that was chosen for the parameter before.
    private static bool Fits(Type type, Type parameter, Type[] chosen) => Interfaces(parameter)
        .Where(wanted => IsMadeOf(wanted, typeof(ITileProduct<>)))
        .All(wanted => typeof(ITileProduct<>).MakeGenericType(chosen[wanted.GetGenericArguments()[0].GenericParameterPosition]).IsAssignableFrom(type));

    private static IEnumerable<Type> Interfaces(Type parameter) => parameter.GetGenericParameterConstraints().Where(constraint => constraint.IsInterface);

    private static bool IsMadeOf(Type type, Type definition) => type.IsGenericType && type.GetGenericTypeDefinition() == definition;
}
