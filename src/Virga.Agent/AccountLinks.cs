using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Core;

namespace Virga.Agent;

/// <summary>
/// Links accounts with their owner's consent, and ends that again. Codes and tokens stay within the agent: who asks
/// sees an address to open and, at the end, the account.
/// </summary>
internal sealed class AccountLinks(AccountTable table, AccountPool pool, AgentOptions options)
{
    private const int IdBytes = 12;

    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> waiting = new(StringComparer.Ordinal);

    /// <summary>Ends when the account is linked and stored; cancelled, it leaves nothing behind.</summary>
    public async Task<LinkEvent> LinkAsync(
        LinkRequest request, Action<LinkInvitationInfo> invite, CancellationToken cancellationToken)
    {
        AccountPool.CheckName(request.Name);
        var way = WayOf(request.Way);
        var old = await FindAsync(request.Name, cancellationToken);
        var (adapter, config) = Configure(request, old);
        var dialog = new Dialog(this, adapter.Linker.Offer.Title, invite, options.Random);
        IReadOnlyDictionary<string, string> secrets;
        try
        {
            secrets = await adapter.Linker.LinkAsync(config, way, dialog, cancellationToken);
        }
        finally
        {
            waiting.TryRemove(dialog.Id, out _);
        }
        var linked = config with { Secrets = Merge(config.Secrets, secrets) };
        await StoreAsync(adapter, request.Name, linked, isNew: old is null);
        return new LinkEvent(null, new AccountInfo(request.Name, adapter.Name, adapter.Describe(linked)), null);
    }

    /// <summary>Hands over what the user copied.</summary>
    /// <exception cref="VirgaException">NotFound: no linking waits for it (any more).</exception>
    public void Paste(string id, string text)
    {
        if (!waiting.TryRemove(id, out var code) || !code.TrySetResult(text))
        {
            throw new VirgaException(
                FailureKind.NotFound, "no linking waits for this code", "Run it again: virga account link");
        }
    }

    /// <summary>
    /// Ends the account's tokens at its service, if it has such, and forgets the account. Where the service can't be
    /// asked the account stays, unless forced.
    /// </summary>
    public async Task<AccountRemoved> RemoveAsync(string name, bool force, CancellationToken cancellationToken)
    {
        var config = await FindAsync(name, cancellationToken) ?? throw new VirgaException(
            FailureKind.NotFound, $"there is no account '{name}'", "See them with: virga account list");
        var adapter = options.Adapters.FirstOrDefault(a => a.Name == config.Adapter) as ILinkedAdapter;
        var linker = adapter?.IsLinked(config) == true ? adapter.Linker : null;
        var (tokens, problem) = linker is null ? ("none", null)
            : await RevokeAsync(linker, config, name, force, cancellationToken);
        await pool.RemoveAsync(name, CancellationToken.None);
        return new AccountRemoved(name, tokens, linker?.Consents.AbsoluteUri, problem);
    }

    private static async Task<(string Tokens, string? Problem)> RevokeAsync(
        IAccountLinker linker, AccountConfig config, string name, bool force, CancellationToken cancellationToken)
    {
        try
        {
            return (await linker.RevokeAsync(config, cancellationToken) switch
            {
                LinkEnd.Revoked => "revoked",
                LinkEnd.EndedBefore => "ended-before",
                _ => "by-hand",
            }, null);
        }
        catch (VirgaException e) when (force)
        {
            return ("failed", e.Message);
        }
        catch (VirgaException e)
        {
            throw new VirgaException(
                e.Kind, $"the account '{name}' stays, since its tokens can't be ended now: {e.Message}",
                $"Try again later, or forget it at once with --force and end its permission on {linker.Consents}.", e);
        }
    }

    private (ILinkedAdapter Adapter, AccountConfig Config) Configure(LinkRequest request, AccountConfig? old)
    {
        if (old is not null) return Anew(request, old);
        if (request.Address is not { } address)
        {
            throw new VirgaException(
                FailureKind.NotFound, $"there is no account '{request.Name}' to link anew",
                "For a new one name its kind, too: virga account link NAME KIND");
        }
        var adapter = AdapterOf(Scheme(address));
        var config = adapter.ParseAddress(address, request.Settings, Complete(adapter, request.Secrets));
        return (adapter, config with { Name = request.Name, Secrets = request.Secrets });
    }

    /// <summary>An account that is there keeps its place and whatever isn't named.</summary>
    private (ILinkedAdapter Adapter, AccountConfig Config) Anew(LinkRequest request, AccountConfig old)
    {
        var adapter = AdapterOf(old.Adapter);
        var place = adapter.Describe(old);
        if (request.Address is { } address && address.TrimEnd(':') != old.Adapter && address != place)
        {
            throw new VirgaException(
                FailureKind.Conflict, $"there is an account '{request.Name}' already, {place}",
                $"Choose another name, or link that one anew: virga account link {request.Name}");
        }
        var config = old with
        {
            Settings = Merge(old.Settings, request.Settings), Secrets = Merge(old.Secrets, request.Secrets),
        };
        adapter.Describe(config with { Secrets = Complete(adapter, config.Secrets) });
        return (adapter, config);
    }

    /// <summary>What only the service will give is there for the while of a check of everything else.</summary>
    private static Dictionary<string, string> Complete(
        ILinkedAdapter adapter, IReadOnlyDictionary<string, string> secrets)
    {
        var all = secrets.ToDictionary();
        foreach (var missing in adapter.Settings.Where(s => s.IsSecret && s.IsRequired))
            all.TryAdd(missing.Name, "-");
        return all;
    }

    private async Task StoreAsync(ILinkedAdapter adapter, string name, AccountConfig config, bool isNew)
    {
        try
        {
            // Not cancelled: the tokens are there, and who went away meanwhile finds the account.
            if (isNew) await table.AddAsync(name, config, CancellationToken.None);
            else await table.ChangeAsync(name, config, CancellationToken.None);
        }
        catch (VirgaException) when (isNew)
        {
            await TryRevokeAsync(adapter.Linker, config);
            throw;
        }
        pool.Reopen(name);
    }

    private static async Task TryRevokeAsync(IAccountLinker linker, AccountConfig config)
    {
        try
        {
            await linker.RevokeAsync(config, CancellationToken.None);
        }
        catch (VirgaException)
        {
            // What is told is why the account was not stored.
        }
    }

    private async Task<AccountConfig?> FindAsync(string name, CancellationToken cancellationToken) =>
        (await table.ListAsync(cancellationToken)).Where(a => a.Name == name).Select(a => a.Config).FirstOrDefault();

    private ILinkedAdapter AdapterOf(string kind)
    {
        var linked = options.Adapters.OfType<ILinkedAdapter>().ToList();
        if (linked.Find(a => a.TakesScheme(kind)) is { } adapter) return adapter;
        var isKnown = options.Adapters.Any(a => a.TakesScheme(kind));
        throw new VirgaException(
            FailureKind.BadInput,
            isKnown ? $"an account of the kind '{kind}' is not linked, but added" : $"'{kind}' is no kind of account",
            isKnown ? $"Add it: virga account add NAME {kind}:..."
                : "Those that are linked: " + string.Join(", ", linked.Select(a => a.Name)));
    }

    private static string Scheme(string address) => address.Split(':')[0].ToLowerInvariant();

    private static LinkWay WayOf(string text) => text switch
    {
        "browser" => LinkWay.Browser,
        "device" => LinkWay.Device,
        "paste" => LinkWay.Paste,
        _ => throw new VirgaException(
            FailureKind.BadInput, $"'{text}' is no way to link an account", "It is browser, device or paste."),
    };

    private static Dictionary<string, string> Merge(
        IReadOnlyDictionary<string, string> first, IReadOnlyDictionary<string, string> then)
    {
        var all = first.ToDictionary();
        foreach (var (name, value) in then) all[name] = value;
        return all;
    }

    private sealed class Dialog : ILinkDialog
    {
        private readonly AccountLinks links;
        private readonly string service;
        private readonly Action<LinkInvitationInfo> invite;
        private readonly TaskCompletionSource<string> code = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Dialog(AccountLinks links, string service, Action<LinkInvitationInfo> invite, RandomBytes random)
        {
            this.links = links;
            this.service = service;
            this.invite = invite;
            Span<byte> bytes = stackalloc byte[IdBytes];
            random(bytes);
            Id = Convert.ToHexStringLower(bytes);
        }

        public string Id { get; }

        public ValueTask InviteAsync(LinkInvitation invitation, CancellationToken cancellationToken)
        {
            if (invitation.Way == LinkWay.Paste) links.waiting[Id] = code;
            invite(new LinkInvitationInfo(
                Id, service, invitation.Way.ToString().ToLowerInvariant(), invitation.Url.AbsoluteUri,
                invitation.UserCode, invitation.Ends,
                [.. invitation.Scopes.Select(s => new LinkScopeInfo(s.Name, s.Permits))]));
            return ValueTask.CompletedTask;
        }

        public async ValueTask<string> ReadPastedAsync(CancellationToken cancellationToken) =>
            await code.Task.WaitAsync(cancellationToken);
    }
}
