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
    /// <summary>Names the adapter alone: secrets must not get into logs by way of a record's ToString.</summary>
    public override string ToString() => $"{Adapter} account";
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
