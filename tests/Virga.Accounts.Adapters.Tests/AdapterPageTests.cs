using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Virga.Testing.Conformance;

namespace Virga.Accounts.Adapters.Tests;

/// <summary>
/// docs/reference/adapters.md is made from the conformance classes of this project: what each runs against, how many
/// tests it has (of which none may fail in the same run), and what the account that it opens declares.
/// </summary>
[Trait("Needs", "server")]
public sealed class AdapterPageTests
{
    private const string Page = "docs/reference/adapters.md";

    // ./test Accounts.Adapters with this set writes the page.
    private const string WriteVariable = "VIRGA_WRITE_PAGES";

    [Fact]
    public async Task The_page_of_adapters_is_what_the_conformance_tests_say()
    {
        var page = await WriteAsync();
        var path = Path.Combine(Root(), Page);
        if (Environment.GetEnvironmentVariable(WriteVariable) is "1")
        {
            await File.WriteAllTextAsync(path, page);
            return;
        }
        Assert.True(
            File.Exists(path) && await File.ReadAllTextAsync(path) == page,
            $"{Page} is out of date: {WriteVariable}=1 ./test Accounts.Adapters");
    }

    private static async Task<string> WriteAsync()
    {
        var rows = new List<(string Adapter, string Line, AgainstAttribute Against)>();
        foreach (var type in typeof(AdapterPageTests).Assembly.GetTypes()
            .Where(t => !t.IsAbstract && t.IsSubclassOf(typeof(AccountConformance)))
            .OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            var against = type.GetCustomAttribute<AgainstAttribute>();
            Assert.True(against is not null, $"{type.Name} doesn't say what it runs [Against]");
            var probe = (AccountConformance)Activator.CreateInstance(type)!;
            try
            {
                await probe.InitializeAsync();
                rows.Add((probe.Opened.Traits.Adapter, LineOf(probe.Opened, against, CountOf(type)), against));
            }
            finally
            {
                await probe.DisposeAsync();
            }
        }
        var text = new StringBuilder("# Adapters: what was tried against what\n").Append(
            "One suite, `AccountConformance` in `src/Virga.Testing`, runs against every adapter in every full run of "
            + "`./test`, and this page is made from it: a run in which one of these tests fails is a failed run, and "
            + "so is one in which this page is out of date. An ability that an account declares is tried by the suite "
            + "or by the adapter's own tests.\n\n| adapter | against | tests | parts | pins | can |\n"
            + "|---|---|---|---|---|---|\n");
        foreach (var row in rows.OrderBy(r => r.Adapter, StringComparer.Ordinal)
            .ThenBy(r => r.Line, StringComparer.Ordinal)) text.Append(row.Line).Append('\n');
        var untried = rows.Where(r => r.Against.Untried.Length > 0).Select(r => r.Against.Untried).Distinct()
            .Order(StringComparer.Ordinal);
        return text.Append(
            "\n*Real* is a program that we did not write; a *fake* is ours, and is itself tried by unmodified rclone "
            + "with its own backend for that service, under the service's real names, also where it must refuse. "
            + "*Parts*: in which order an upload takes them, and whether another process can go on with it. *Pins*: "
            + "whether the service guarantees that one version has one content.\n\n**Not tried live**, for want of "
            + "accounts: ").AppendJoin(", ", untried).Append(
            ". Their limits and errors are as their documents say; `virga account check` tries a real account before "
            + "it is used, and `./test live ACCOUNT` runs the whole suite against one.\n\n## Any pair\n"
            + "A tree of awkward files (names in many scripts and with signs that need "
            + "escaping, empty files, exactly one part and one byte more, deep paths, the same content twice) goes "
            + "between every ordered pair of: ").AppendJoin(", ", Matrix.Place.Kinds).Append(
            ". Each arrives equal. Names that a target can't hold, or takes for one (upper and lower case, Unicode "
            + "normalisation), are told by name before anything moves. Thousands of files in one folder go into each. "
            + "A file of exactly 10,001 parts goes where so many are allowed; elsewhere its parts are larger.\n")
            .ToString();
    }

    private static string LineOf(IAccount account, AgainstAttribute against, int tests)
    {
        var traits = account.Traits;
        var order = traits.PartOrder == PartOrder.Any ? "any order" : "in sequence";
        var resume = traits.UploadResume == UploadResume.Parts ? "resumed" : "not resumed";
        (bool Has, string Name)[] abilities =
        [
            (account.Find<IRecursiveListing>() is not null, "list all at once"),
            (account.Find<IChangeFeed>() is not null, "tell changes"),
            (traits.TagsFolders, "tag changed folders"),
            (account.Find<ISignedReadUrls>() is not null, "signed read URLs"),
            (account.Find<ICopyGrants>() is not null, "copies inside the service"),
            (account.Find<ISymlinks>() is not null, "symlinks"),
            (account.Find<IReportsSpace>() is not null, "tell space"),
            (traits.KeepsModified, "keep times"), (traits.KeepsExecutable, "keep execute bits"),
            (traits.KeepsEmptyFolders, "keep empty folders"),
        ];
        var variant = against.Variant.Length > 0 ? $" ({against.Variant})" : "";
        return $"| {traits.Adapter}{variant} | {(against.IsReal ? "real" : "fake")}: {against.What} | {tests} "
            + $"| {order}, {resume} | {traits.Pin.ToString().ToLowerInvariant()} "
            + $"| {string.Join(", ", abilities.Where(a => a.Has).Select(a => a.Name))} |";
    }

    /// <summary>Facts, and one for each row of a theory.</summary>
    private static int CountOf(Type type) => type.GetMethods()
        .Where(m => m.GetCustomAttribute<FactAttribute>() is not null)
        .Sum(m => m.GetCustomAttribute<TheoryAttribute>() is null
            ? 1 : m.GetCustomAttributes<Xunit.Sdk.DataAttribute>().Sum(d => d.GetData(m).Count()));

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
