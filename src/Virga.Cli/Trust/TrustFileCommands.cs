using System.CommandLine;
using System.Text;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust export</c> and <c>virga trust import</c>.</summary>
internal static class TrustFileCommands
{
    private const int Version = 1;
    private const long BytesMax = 16 << 20;

    public static Command CreateExport(GlobalOptions options)
    {
        var file = new Argument<string?>("FILE")
        {
            Description = "where to; it must not exist yet (default: standard output)",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var verb = new Verb("export", "writes roots, refusals and names as JSON, for another agent of yours")
        {
            Examples = { "virga trust export trust.json" },
            Notes =
            {
                "Your vouches are not in it: they stand in your sigchain, where everybody can read them. "
                    + "The file tells whom you know and refuse; treat it as private.",
            },
        };
        verb.Add(file);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var info = await agent.TrustAsync(cancellationToken);
            var content = new TrustFile(
                Version, info.Agent, [.. info.Roots.Where(r => r != info.Agent)], info.Refused, info.Names);
            var json = JsonSerializer.Serialize(content, CliJson.Default.TrustFile);
            if (run.Parsed.GetValue(file) is not { } path)
            {
                run.Print(json);
                return ExitCode.Ok;
            }
            await WriteNewAsync(path, Encoding.UTF8.GetBytes(json + "\n"), isPrivate: true, cancellationToken);
            run.Say($"wrote {Display.Count(content.Roots.Count, "root", "roots")}, "
                + $"{Display.Count(content.Refused.Count, "refusal", "refusals")} and "
                + $"{Display.Count(content.Names.Count, "name", "names")} to {Display.Safe(path)}");
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateImport(GlobalOptions options)
    {
        var file = new Argument<string>("FILE") { Description = "what `virga trust export` wrote" };
        var yes = Confirmation.Option();
        var verb = new Verb("import", "takes over roots, refusals and names; shows first what would change")
        {
            Examples = { "virga trust import trust.json" },
            Notes =
            {
                "It only adds: nothing that this agent knows is taken away, and a name that it uses for another agent "
                    + "is left as it is. Ends with 1 when you say no.",
            },
        };
        verb.Add(file);
        verb.Add(yes);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var content = await ReadAsync(run.Parsed.GetRequiredValue(file), cancellationToken);
            using var agent = run.OpenAgent();
            var info = await agent.TrustAsync(cancellationToken);
            var plan = Plan(info, content);
            var lines = Meaning(new AgentNames(info), plan);
            if (plan.Roots.Count + plan.Refused.Count + plan.Names.Count == 0)
            {
                foreach (var line in lines) run.Say(line);
                run.Say("nothing to change: this agent knows all of that");
                if (run.IsJson) run.PrintJson(plan, CliJson.Default.TrustImport);
                return ExitCode.Ok;
            }
            if (!await Confirmation.AskAsync(
                run, lines, "Import?", run.Parsed.GetValue(yes), cancellationToken))
            {
                return ExitCode.Failed;
            }
            await ApplyAsync(agent, plan, cancellationToken);
            if (run.IsJson) run.PrintJson(plan, CliJson.Default.TrustImport);
            run.Say("imported");
            return ExitCode.Ok;
        });
        return verb;
    }

    private static TrustImport Plan(TrustInfo info, TrustFile content)
    {
        var taken = info.Names.GroupBy(n => n.Value, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(n => n.Key, n => n.First().Key, StringComparer.OrdinalIgnoreCase);
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var left = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (agent, name) in content.Names)
        {
            if (agent == info.Agent || (info.Names.TryGetValue(agent, out var old) && old == name)) continue;
            if (taken.TryGetValue(name, out var other) && other != agent) left[agent] = name;
            else
            {
                names[agent] = name;
                taken[name] = agent;
            }
        }
        return new TrustImport(
            [.. content.Roots.Except(info.Roots).Where(r => r != info.Agent)],
            [.. content.Refused.Except(info.Refused).Where(r => r != info.Agent)], names, left);
    }

    private static List<string> Meaning(AgentNames names, TrustImport plan)
    {
        var lines = new List<string>();
        foreach (var root in plan.Roots)
            lines.Add($"  new root: {names.FullLabel(root)}; its word will count as your own, for everything");
        foreach (var refused in plan.Refused) lines.Add($"  refused from now on: {names.FullLabel(refused)}");
        foreach (var (agent, name) in plan.Names)
        {
            lines.Add($"  name: {Display.Safe(name)} for {Display.Short(agent)}"
                + (names.NameOf(agent) is { } old ? $", so far {Display.Safe(old)}" : ""));
        }
        foreach (var (agent, name) in plan.NamesLeft)
        {
            lines.Add($"  left as it is: {Display.Safe(name)} is what you call another than {Display.Short(agent)}");
        }
        return lines;
    }

    /// <summary>Refusals before roots: at no moment is anybody admitted whom the file refuses.</summary>
    private static async Task ApplyAsync(ControlClient agent, TrustImport plan, CancellationToken cancellationToken)
    {
        foreach (var (who, name) in plan.Names)
            await agent.SetNameAsync(new NameRequest(who, name), cancellationToken);
        foreach (var refused in plan.Refused)
            await agent.SetRefusedAsync(new TrustListRequest(refused, true), cancellationToken);
        foreach (var root in plan.Roots)
            await agent.SetRootAsync(new TrustListRequest(root, true), cancellationToken);
    }

    private static async Task<TrustFile> ReadAsync(string path, CancellationToken cancellationToken)
    {
        TrustFile? content;
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > BytesMax })
                throw new VirgaException(FailureKind.BadInput, $"{path} is too large for a trust file", null);
            await using var stream = File.OpenRead(path);
            content = await JsonSerializer.DeserializeAsync(stream, CliJson.Default.TrustFile, cancellationToken);
        }
        catch (JsonException e)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"{path} is not what `virga trust export` writes: {e.Message}",
                "Export it again.", e);
        }
        if (content is not { Roots: not null, Refused: not null, Names: not null })
            throw new VirgaException(
                FailureKind.BadInput, $"{path} is not what `virga trust export` writes", "Export it again.");
        if (content.Version != Version)
            throw new VirgaException(
                FailureKind.Unsupported, $"{path} is of version {content.Version}; this command knows {Version}",
                "Use the version of Virga that wrote it.");
        foreach (var agent in content.Roots.Concat(content.Refused).Concat(content.Names.Keys))
            AgentId.Parse(agent ?? "");
        if (content.Names.FirstOrDefault(n => string.IsNullOrWhiteSpace(n.Value)).Key is { } nameless)
            throw new VirgaException(
                FailureKind.BadInput, $"{path} has no name for {Display.Short(nameless)}", "Export it again.");
        return content;
    }

    /// <summary>Private to the user, and never in place of another file.</summary>
    /// <summary>Conflict where something of that name stands there already.</summary>
    public static async Task WriteNewAsync(
        string path, byte[] bytes, bool isPrivate, CancellationToken cancellationToken)
    {
        if (Path.Exists(path))
            throw new VirgaException(
                FailureKind.Conflict, $"{path} stands there already", "Choose another name, or remove it first.");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (isPrivate && !OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        await using var file = new FileStream(path, options);
        await file.WriteAsync(bytes, cancellationToken);
    }
}

/// <summary>What <c>virga trust export</c> writes.</summary>
/// <param name="Agent">Whose it is.</param>
/// <param name="Roots">Without the agent itself.</param>
/// <param name="Names">By AgentId.</param>
internal sealed record TrustFile(
    int Version, string Agent, IReadOnlyList<string> Roots, IReadOnlyList<string> Refused,
    IReadOnlyDictionary<string, string> Names);

/// <summary>What an import adds.</summary>
/// <param name="NamesLeft">Names that this agent uses for others, and that were not taken over.</param>
internal sealed record TrustImport(
    IReadOnlyList<string> Roots, IReadOnlyList<string> Refused, IReadOnlyDictionary<string, string> Names,
    IReadOnlyDictionary<string, string> NamesLeft);
