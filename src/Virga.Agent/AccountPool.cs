using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Accounts.Decorators;
using Virga.Agent.Control;
using Virga.Agent.State;
using Virga.Core;

namespace Virga.Agent;

/// <summary>The accounts by name, each opened once, with retries, limits and meters around it.</summary>
internal sealed class AccountPool(AccountTable table, IReadOnlyList<IAccountAdapter> adapters, AgentOptions options)
    : IAsyncDisposable
{
    private static readonly System.Buffers.SearchValues<char> NameCharacters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-_");

    private readonly ConcurrentDictionary<string, Lazy<Task<IAccount>>> open = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<Lazy<Task<IAccount>>> replaced = [];

    public async Task<AccountInfo> AddAsync(AccountAddRequest request, CancellationToken cancellationToken)
    {
        CheckName(request.Name);
        var colon = request.Address.IndexOf(':');
        var scheme = colon > 0 ? request.Address[..colon] : request.Address;
        var adapter = adapters.FirstOrDefault(a => a.TakesScheme(scheme)) ?? throw new VirgaException(
            FailureKind.BadInput, $"'{request.Address}' names no kind of account that is known here",
            "Known are: " + string.Join(", ", adapters.Select(a => a.Name)) + ". An example: disk:/srv/data");
        var config = adapter.ParseAddress(request.Address, request.Settings, request.Secrets);
        await table.AddAsync(request.Name, config, cancellationToken);
        return new AccountInfo(request.Name, adapter.Name, adapter.Describe(config));
    }

    public static void CheckName(string name)
    {
        if (name.Length is 0 or > 32 || name.AsSpan().ContainsAnyExcept(NameCharacters))
        {
            throw new VirgaException(
                FailureKind.BadInput, $"'{name}' is no account name", "Use 1 to 32 of the characters a-z 0-9 - _.");
        }
    }

    public async Task<List<AccountInfo>> ListAsync(CancellationToken cancellationToken) =>
    [
        .. (await table.ListAsync(cancellationToken)).Select(
            a => new AccountInfo(a.Name, a.Config.Adapter, AdapterOf(a.Config).Describe(a.Config))),
    ];

    public async Task<bool> RemoveAsync(string name, CancellationToken cancellationToken)
    {
        var removed = await table.RemoveAsync(name, cancellationToken);
        if (open.TryRemove(name, out var account)) await CloseAsync(account);
        return removed;
    }

    /// <summary>
    /// The next who asks for the account gets it as it is configured then; who uses it now goes on with what they have.
    /// </summary>
    public void Reopen(string name)
    {
        if (open.TryRemove(name, out var account)) replaced.Add(account);
    }

    /// <summary>NotFound when there is no account of that name.</summary>
    public async Task<IAccount> GetAsync(string name, CancellationToken cancellationToken)
    {
        var account = open.GetOrAdd(name, n => new Lazy<Task<IAccount>>(() => OpenAsync(n)));
        try
        {
            return await account.Value.WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A failed opening is not kept: the next call tries again.
            open.TryRemove(KeyValuePair.Create(name, account));
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var account in open.Values.Concat(replaced)) await CloseAsync(account);
    }

    private async Task<IAccount> OpenAsync(string name)
    {
        var known = await table.ListAsync(CancellationToken.None);
        var config = known.Where(a => a.Name == name).Select(a => a.Config).FirstOrDefault()
            ?? throw new VirgaException(
                FailureKind.NotFound, $"there is no account '{name}'",
                known.Count == 0
                    ? "Add one first: virga account add NAME disk:/srv/data"
                    : "Known are: " + string.Join(", ", known.Select(a => a.Name)));
        var inner = await AdapterOf(config).OpenAsync(config, CancellationToken.None);
        return inner.WithCare(options.Time, options.Random);
    }

    private static async Task CloseAsync(Lazy<Task<IAccount>> account)
    {
        if (!account.IsValueCreated) return;
        try
        {
            await (await account.Value).DisposeAsync();
        }
        catch (VirgaException)
        {
            // It could not be opened, so that there is nothing to close.
        }
    }

    private IAccountAdapter AdapterOf(AccountConfig config) =>
        adapters.FirstOrDefault(a => a.Name == config.Adapter) ?? throw new VirgaException(
            FailureKind.Unsupported, $"an account needs the adapter '{config.Adapter}', which this program hasn't got");
}
