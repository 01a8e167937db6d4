namespace Virga.Accounts;

/// <summary>
/// How to reach an account: the adapter's name, plain settings and secret ones. Text form for people:
/// <c>disk:/srv/data</c>, <c>s3:https://host/bucket/prefix</c>, <c>webdavs://host/path</c>, <c>rclone:remote:path</c>.
/// </summary>
/// <param name="Adapter">disk, s3, webdav or rclone.</param>
/// <param name="Settings">Shown freely.</param>
/// <param name="Secrets">Stored encrypted; never logged, printed or put into a URL that is.</param>
public sealed record AccountConfig(
    string Adapter,
    IReadOnlyDictionary<string, string> Settings,
    IReadOnlyDictionary<string, string> Secrets)
{
    /// <summary>What its owner calls the account, for advice; null where it has no name.</summary>
    public string? Name { get; init; }

    /// <summary>Keeps secrets that the service replaces while the account is open; null where nothing does.</summary>
    public ISecretStore? Store { get; init; }

    /// <summary>Names the adapter alone: secrets must not get into logs by way of a record's ToString.</summary>
    public override string ToString() => $"{Adapter} account";
}

/// <summary>Keeps the secrets of one account that its service replaced, such as a refresh token that rotates.</summary>
public interface ISecretStore
{
    /// <summary>
    /// Replaces the secrets named and leaves the others. What they open is used only after this has returned: they are
    /// durable then, also if the process is killed at once.
    /// </summary>
    /// <exception cref="Core.VirgaException">Full, Denied, Unavailable; NotFound when the account is gone.</exception>
    ValueTask ReplaceAsync(IReadOnlyDictionary<string, string> replaced, CancellationToken cancellationToken);
}

/// <summary>One setting that an adapter knows, for help texts and forms.</summary>
public sealed record AccountSetting(string Name, string Description, bool IsRequired = false, bool IsSecret = false);

/// <summary>
/// An adapter: how accounts of one kind are described and opened. Only the executable knows the list of adapters.
/// </summary>
public interface IAccountAdapter
{
    string Name { get; }

    IReadOnlyList<AccountSetting> Settings { get; }

    /// <summary>Whether an address that begins with <paramref name="scheme"/> and a colon is of this kind.</summary>
    bool TakesScheme(string scheme) => scheme == Name;

    /// <summary>
    /// Reads the text form a person types, e.g. <c>disk:/srv/data</c>; BadInput that shows the expected form. Secrets
    /// are not in it.
    /// </summary>
    AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets);

    /// <summary>The text form without secrets.</summary>
    string Describe(AccountConfig config);

    /// <summary>
    /// Opens the account; may check nothing yet. Errors of the place itself come from the first call.
    /// </summary>
    ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken);
}
