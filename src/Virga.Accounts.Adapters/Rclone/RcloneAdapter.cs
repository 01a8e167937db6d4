using Virga.Core;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>
/// Whatever rclone knows, with the configuration that people already have. Each open account has an rclone process of
/// its own, on a port of this machine that only we know the password of, and which ends when we do.
/// </summary>
public sealed class RcloneAdapter(AdapterServices services) : IAccountAdapter
{
    internal const string Form = "An rclone account looks like rclone:remote:folder, "
        + "with a remote that `rclone listremotes` shows.";
    private const string Scheme = "rclone:";

    public string Name => "rclone";

    public IReadOnlyList<AccountSetting> Settings => RcloneSettings.Known;

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        if (!address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            throw new VirgaException(FailureKind.BadInput, $"'{address}' is not an rclone account's address", Form);
        var remote = RcloneSettings.CheckedRemote(address[Scheme.Length..]);
        var config = new AccountConfig(Name, AddressParser.With(settings, ("remote", remote)), secrets);
        RcloneSettings.From(config);
        return config;
    }

    public string Describe(AccountConfig config) => Scheme + RcloneSettings.From(config).Remote;

    /// <summary>
    /// Starts rclone and asks it what the remote can do: throws where rclone or the remote is missing.
    /// </summary>
    public async ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        var settings = RcloneSettings.From(config);
        if (settings.Config is { } file && !File.Exists(file))
            throw new VirgaException(
                FailureKind.NotFound, $"there is no rclone configuration '{file}'", "Set config to where it is.");
        var client = new RcloneClient(settings, services);
        try
        {
            return new RcloneAccount(client, services, await RcloneFeatures.AskAsync(client, cancellationToken));
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }
}
