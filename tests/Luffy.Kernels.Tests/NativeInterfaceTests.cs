using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Luffy.Kernels.Native;

namespace Luffy.Kernels.Tests;

/// <summary>The managed mirror of the C header: sizes as a 64-bit C compiler lays them out, and the table field by field.</summary>
public sealed partial class NativeInterfaceTests
{
    [Test]
    public void Structures_have_the_sizes_of_the_header()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Unsafe.SizeOf<LfTensor>(), Is.EqualTo(48));
            Assert.That(Unsafe.SizeOf<LfContextOptions>(), Is.EqualTo(16));
            Assert.That(Unsafe.SizeOf<LfAttentionShape>(), Is.EqualTo(16));
            Assert.That(Unsafe.SizeOf<LfSamplingOptions>(), Is.EqualTo(24));
            Assert.That(Unsafe.SizeOf<LfAdamWOptions>(), Is.EqualTo(40));
            Assert.That(Unsafe.SizeOf<LfPolicyOptions>(), Is.EqualTo(84));
            Assert.That(Unsafe.SizeOf<LfPolicyTokens>(), Is.EqualTo(7 * 48));
        }
    }

    [Test]
    public void Table_has_the_functions_of_the_header_in_its_order()
    {
        string header = Header(), table = header[header.IndexOf("typedef struct lf_kernels {", StringComparison.Ordinal)..];
        string[] declared = [.. FunctionPointer().Matches(table).Select(match => match.Groups[1].Value.Replace("_", "", StringComparison.Ordinal))];
        string[] mirrored = [.. typeof(LfKernels).GetFields(BindingFlags.Instance | BindingFlags.Public).Select(field => field.Name.ToLowerInvariant())];
        Assert.That(declared, Has.Length.GreaterThan(40));
        Assert.That(mirrored, Is.EqualTo((string[])["abiversion", "tablebytes", .. declared]));
        Assert.That(Unsafe.SizeOf<LfKernels>(), Is.EqualTo(8 + (8 * declared.Length)));
        Assert.That(header, Does.Contain($"#define LF_ABI_VERSION {LfKernels.SupportedAbiVersion}u"));
    }

    [TestCase("lf_tensor", typeof(LfTensor)), TestCase("lf_sampling_options", typeof(LfSamplingOptions)), TestCase("lf_adamw_options", typeof(LfAdamWOptions))]
    [TestCase("lf_policy_options", typeof(LfPolicyOptions)), TestCase("lf_policy_tokens", typeof(LfPolicyTokens)), TestCase("lf_attention_shape", typeof(LfAttentionShape))]
    public void Options_have_the_fields_of_the_header_in_its_order(string name, Type mirror)
    {
        string header = Header();
        int start = header.IndexOf($"typedef struct {name} {{", StringComparison.Ordinal);
        string body = Comment().Replace(header[start..header.IndexOf($"}} {name};", StringComparison.Ordinal)], "");
        string[] declared = [.. Field().Matches(body).SelectMany(match => match.Groups[2].Success
            ? Enumerable.Range(0, int.Parse(match.Groups[2].Value)).Select(i => $"d{i}")
            : [Plain(match.Groups[1].Value)])];
        string[] mirrored = [.. mirror.GetFields(BindingFlags.Instance | BindingFlags.Public).Select(field => Plain(field.Name))];
        Assert.That(mirrored, Is.EqualTo(declared));

        static string Plain(string field) => field.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant()
            .Replace("keyvalueheads", "kvheads", StringComparison.Ordinal);
    }

    [Test]
    public void Enumerations_have_the_values_of_the_header()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Header(), Does.Contain("LF_F32 = 0, LF_BF16 = 1, LF_I32 = 2, LF_U8 = 3"));
            Assert.That(((int)DType.F32, (int)DType.Bf16, (int)DType.I32, (int)DType.U8), Is.EqualTo((0, 1, 2, 3)));
            Assert.That(Header(), Does.Contain($"#define LF_PAGE_SIZE {IAttention.PageSize} "));
            Assert.That(Header(), Does.Contain($"#define LF_TOKEN_STATISTICS {Enum.GetValues<TokenStatistic>().Length} "));
            Assert.That(Header(), Does.Contain($"LF_SHAPING_PROB_PLUS_LOG_PROB = {(int)PolicyShaping.ProbPlusLogProb}"));
            Assert.That(Header(), Does.Contain($"LF_SHAPING_CLIPPED_RATIO = {(int)PolicyShaping.ClippedRatio}"));
            Assert.That(LastShaping().Matches(Header()), Has.Count.EqualTo(Enum.GetValues<PolicyShaping>().Length));
        }
    }

    private static string Header()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            string path = Path.Combine(directory.FullName, "native", "include", "luffy_kernels.h");
            if (File.Exists(path)) return File.ReadAllText(path);
        }

        throw new FileNotFoundException("native/include/luffy_kernels.h lies in no folder above the tests");
    }

    [GeneratedRegex(@"LF_SHAPING_\w+ = \d+")]
    private static partial Regex LastShaping();

    [GeneratedRegex(@"\(\*(\w+)\)\(")]
    private static partial Regex FunctionPointer();

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"(\w+)(?:\[(\d+)\])?;")]
    private static partial Regex Field();
}
