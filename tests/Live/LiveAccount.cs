using System.Security.Cryptography;
using System.Text;
using Virga.Accounts;
using Virga.Accounts.Adapters;
using Virga.Accounts.Decorators;
using Virga.Agent.State;
using Virga.Core;
using Virga.Hosting;
using Virga.Storage;

namespace Virga.Live;

/// <summary>The account that was named, and folders in it, opened as the agent opens them.</summary>
internal abstract class LiveAccount : IAsyncDisposable
{
    /// <summary>Every setting and secret of an address comes from a variable of this beginning.</summary>
    public const string Prefix = "VIRGA_LIVE_";

    protected static RandomBytes Random => RandomNumberGenerator.Fill;

    /// <summary>For people, without secrets.</summary>
    public abstract string Address { get; }

    public abstract IAccountAdapter Adapter { get; }

    /// <summary>As it stands now: tokens that the service replaces are in it.</summary>
    protected abstract ValueTask<AccountConfig> ConfigAsync();

    /// <summary>Opens the account, or a folder in it.</summary>
    public async ValueTask<IAccount> OpenAsync(string folder = "")
    {
        var config = await ConfigAsync();
        if (folder.Length > 0)
        {
            var joint = Address[^1] is ':' or '/' ? "" : "/";
            config = Adapter.ParseAddress(Address + joint + folder, config.Settings, config.Secrets) with
            {
                Name = config.Name, Store = config.Store,
            };
        }
        return (await Adapter.OpenAsync(config, CancellationToken.None)).WithCare(TimeProvider.System, Random);
    }

    /// <summary>How to give it what it lacks.</summary>
    public abstract IEnumerable<string> Help();

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <exception cref="VirgaException">BadInput, NotFound, InUse, Unauthenticated.</exception>
    public static async ValueTask<LiveAccount> FindAsync(
        LiveOptions options, IReadOnlyDictionary<string, string> environment) =>
        options.IsAddress
            ? new NamedAddress(options.Account, environment)
            : await LinkedAccount.OpenAsync(options, environment);
}

/// <summary>An address, with what belongs to it in the environment.</summary>
internal sealed class NamedAddress : LiveAccount, ISecretStore
{
    private readonly string address;
    private readonly IReadOnlyDictionary<string, string> environment;
    private readonly Dictionary<string, string> settings = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> secrets = new(StringComparer.Ordinal);

    public NamedAddress(string address, IReadOnlyDictionary<string, string> environment)
    {
        this.address = address;
        this.environment = environment;
        Adapter = Cli.Adapters.Of(address);
        foreach (var (variable, value) in environment)
        {
            if (!variable.StartsWith(Prefix, StringComparison.Ordinal) || value.Length == 0) continue;
            var setting = Adapter.Settings.FirstOrDefault(s => VariableOf(s.Name) == variable)
                ?? throw new VirgaException(
                    FailureKind.BadInput, $"the variable {variable} is no setting of a {Adapter.Name} account",
                    string.Join('\n', Help()));
            (setting.IsSecret ? secrets : settings)[setting.Name] = value;
        }
    }

    public override string Address => address;

    public override IAccountAdapter Adapter { get; }

    protected override ValueTask<AccountConfig> ConfigAsync() =>
        new(Adapter.ParseAddress(address, settings, secrets) with { Store = this });

    public ValueTask ReplaceAsync(IReadOnlyDictionary<string, string> replaced, CancellationToken cancellationToken)
    {
        foreach (var (name, value) in replaced) secrets[name] = value;
        return ValueTask.CompletedTask;
    }

    public override IEnumerable<string> Help()
    {
        yield return $"Accounts of the kind {Adapter.Name} take these from the environment:";
        var given = Given();
        foreach (var setting in Adapter.Settings.Where(s => !given.Contains(s.Name)))
        {
            var variable = VariableOf(setting.Name);
            var state = environment.GetValueOrDefault(variable) is { Length: > 0 } ? "set" : "not set";
            var marks = (setting.IsSecret ? "secret, " : "") + (setting.IsRequired ? "required, " : "");
            yield return $"  {variable} ({marks}{state}): {setting.Description}";
        }
    }

    /// <summary>What stands in the address.</summary>
    private HashSet<string> Given()
    {
        try
        {
            var none = new Dictionary<string, string>();
            return [.. Adapter.ParseAddress(address, none, none).Settings.Keys];
        }
        catch (VirgaException)
        {
            return [];
        }
    }

    /// <summary><c>accessKey</c> is VIRGA_LIVE_ACCESS_KEY.</summary>
    public static string VariableOf(string setting)
    {
        var text = new StringBuilder(Prefix);
        foreach (var letter in setting)
        {
            if (char.IsAsciiLetterUpper(letter)) text.Append('_');
            text.Append(char.ToUpperInvariant(letter));
        }
        return text.ToString();
    }
}

/// <summary>An account of an agent that does not run now.</summary>
internal sealed class LinkedAccount : LiveAccount
{
    private readonly DataFolder folder;
    private readonly PeerKeys keys;
    private readonly AgentState state;
    private readonly AccountTable table;
    private readonly string name;
    private AccountConfig config;

    private LinkedAccount(DataFolder folder, PeerKeys keys, string name)
    {
        (this.folder, this.keys, this.name) = (folder, keys, name);
        state = AgentState.Open(folder, keys.DataKey, Random);
        table = new AccountTable(state, TimeProvider.System);
        config = null!;
    }

    public override string Address => Adapter.Describe(config);

    public override IAccountAdapter Adapter => Cli.Adapters.All.First(a => a.Name == config.Adapter);

    public static async ValueTask<LinkedAccount> OpenAsync(
        LiveOptions options, IReadOnlyDictionary<string, string> environment)
    {
        if (!File.Exists(Path.Combine(options.DataFolder, "agent.db")))
        {
            throw new VirgaException(
                FailureKind.NotFound, $"no agent has its data in '{options.DataFolder}'",
                "Name its data folder with --data, or give an address instead of a name.\n" + LiveOptions.Usage);
        }
        var folder = DataFolder.Open(options.DataFolder);
        PeerKeys? keys = null;
        LinkedAccount? account = null;
        try
        {
            var secrets = new KeySecrets(variable => environment.GetValueOrDefault(variable), null);
            keys = PeerKeys.LoadOrCreate(folder.Path, TimeProvider.System, Random, secrets);
            account = new LinkedAccount(folder, keys, options.Account);
            await account.ConfigAsync();
            return account;
        }
        catch
        {
            if (account is not null) await account.DisposeAsync();
            else
            {
                keys?.Dispose();
                folder.Dispose();
            }
            throw;
        }
    }

    protected override async ValueTask<AccountConfig> ConfigAsync()
    {
        var known = await table.ListAsync(CancellationToken.None);
        return config = known.FirstOrDefault(a => a.Name == name).Config ?? throw new VirgaException(
            FailureKind.NotFound, $"there is no account '{name}' in '{folder.Path}'",
            known.Count == 0
                ? "It has none: virga account add, or virga account link"
                : "Known are: " + string.Join(", ", known.Select(a => a.Name)));
    }

    public override IEnumerable<string> Help() =>
        [$"See what is wrong with it: virga account check {name}", $"Link it anew: virga account link {name}"];

    public override async ValueTask DisposeAsync()
    {
        await state.DisposeAsync();
        keys.Dispose();
        folder.Dispose();
    }
}
