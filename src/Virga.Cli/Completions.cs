using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Cli;

/// <summary>What only the running agent knows, and a shell wants to complete.</summary>
[Flags]
internal enum Wanted
{
    None = 0,
    Accounts = 1,
    Places = 2,
    Transfers = 4,
    Shares = 8,
    Agents = 16,
    Requests = 32,
}

/// <summary>
/// Words for shell completion. The parser asks its sources while it has no time to wait; so they only note what is
/// wanted, and the agent is asked afterwards.
/// </summary>
internal sealed class Completions(GlobalOptions options)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private Wanted wanted;

    public static IEnumerable<string> Accounts(GlobalOptions options, CompletionContext _) =>
        Note(options, Wanted.Accounts);

    public static IEnumerable<string> Places(GlobalOptions options, CompletionContext _) =>
        Note(options, Wanted.Places);

    public static IEnumerable<string> Transfers(GlobalOptions options, CompletionContext _) =>
        Note(options, Wanted.Transfers);

    public static IEnumerable<string> Shares(GlobalOptions options, CompletionContext _) =>
        Note(options, Wanted.Shares);

    public static IEnumerable<string> Agents(GlobalOptions options, CompletionContext _) =>
        Note(options, Wanted.Agents);

    public static IEnumerable<string> Requests(GlobalOptions options, CompletionContext _) =>
        Note(options, Wanted.Requests);

    /// <summary>All words that can stand at the end of a line, which begins with the command's own name.</summary>
    public async Task<IReadOnlyList<string>> AnswerAsync(string line, CancellationToken cancellationToken)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var isNewWord = line.Length == 0 || line[^1] == ' ';
        var word = isNewWord ? "" : words[^1];
        var before = words.Skip(1).ToList();
        if (!isNewWord && before.Count > 0) before.RemoveAt(before.Count - 1);

        options.Completions = this;
        var parsed = CommandLine.Build(options).Parse([.. before, word]);
        // The parser takes the word for the option's value already, and would complete what comes after it.
        if (before.Count > 0 && TakesValue(parsed, before[^1])) parsed = CommandLine.Build(options).Parse(before);
        var found = parsed.GetCompletions().Select(c => c.InsertText ?? c.Label)
            .Where(w => !w.StartsWith('/') && (w.StartsWith('-') ? word.StartsWith('-') : true)).ToList();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            if (wanted != Wanted.None)
                found.AddRange(await AskAsync(Invocation.FolderOf(options, parsed), word, patience.Token));
        }
        catch (Exception e) when (e is VirgaException or OperationCanceledException)
        {
            // No agent: the words that need none are still of use.
        }
        return [.. found.Where(w => w.StartsWith(word, StringComparison.Ordinal))
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    private static bool TakesValue(ParseResult parsed, string word) => word.StartsWith('-')
        && parsed.CommandResult.Command.Options.Any(
            o => (o.Name == word || o.Aliases.Contains(word)) && o.Arity.MinimumNumberOfValues > 0);

    private async Task<IReadOnlyList<string>> AskAsync(
        string dataFolder, string word, CancellationToken cancellationToken)
    {
        using var agent = new ControlClient(dataFolder);
        var found = new List<string>();
        if (wanted.HasFlag(Wanted.Transfers))
            found.AddRange((await agent.TransfersAsync(cancellationToken)).Select(t => t.Id));
        if (wanted.HasFlag(Wanted.Shares))
            found.AddRange((await agent.SharesAsync(cancellationToken)).Select(s => s.InfoHash));
        if (wanted.HasFlag(Wanted.Accounts))
            found.AddRange((await agent.AccountsAsync(cancellationToken)).Select(a => a.Name));
        if (wanted.HasFlag(Wanted.Requests))
            found.AddRange((await agent.RequestsAsync(cancellationToken)).Where(r => r.State == "Waiting")
                .Select(r => r.Id.ToString(CultureInfo.InvariantCulture)));
        if (wanted.HasFlag(Wanted.Agents)) found.AddRange(AgentsOf(await agent.TrustAsync(cancellationToken)));
        if (!wanted.HasFlag(Wanted.Places)) return found;
        found.AddRange(word.Contains(':')
            ? await EntriesAsync(agent, word, cancellationToken)
            : (await agent.AccountsAsync(cancellationToken)).Select(a => a.Name + ":"));
        return found;
    }

    /// <summary>Names that need no quotes, and the ids of those that have no name.</summary>
    private static IEnumerable<string> AgentsOf(TrustInfo info) => info.Names.Values
        .Where(n => n.All(c => char.IsLetterOrDigit(c) || c is '-' or '_' or '.'))
        .Concat(info.Roots.Concat(info.Refused).Concat(info.Vouches.Select(v => v.Subject))
            .Where(a => a != info.Agent && !info.Names.ContainsKey(a)));

    private static async Task<IEnumerable<string>> EntriesAsync(
        ControlClient agent, string word, CancellationToken cancellationToken)
    {
        var place = Place.Parse(word);
        var slash = place.Path.LastIndexOf('/');
        var folder = word.EndsWith('/') ? place.Path : slash < 0 ? "" : place.Path[..slash];
        var entries = await agent.EntriesAsync(place.Account, folder, cancellationToken);
        return entries.Select(e => $"{place.Account}:{e.Path}{(e.Kind == "folder" ? "/" : "")}")
            .Where(p => !p.Any(c => c is ' ' or '\n'));
    }

    private static IEnumerable<string> Note(GlobalOptions options, Wanted what)
    {
        if (options.Completions is { } completions) completions.wanted |= what;
        return [];
    }
}
