using System.Globalization;
using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>An SFTP account's configuration, checked.</summary>
/// <param name="Folder">As the server takes it: absolute, or relative to where the user's login ends up.</param>
/// <param name="Key">File with the private key; null for those that ssh finds itself.</param>
/// <param name="HostKey">The server's only key, <c>ssh-ed25519 AAAA...</c>; null for what ssh knows already.</param>
/// <param name="Secret">The password, or what opens the key.</param>
internal sealed record SftpSettings(
    string Host, int? Port, string? User, string Folder, string? Key, string? HostKey, string? Secret, bool IsPassword)
{
    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("host", "Name or address of the server, or a Host of your ssh configuration", IsRequired: true),
        new("port", "Port of the server, where it isn't 22"),
        new("user", "User name there"),
        new("path", "The folder: /absolute, or ~/relative to the user's own", IsRequired: true),
        new("key", "File with the private key, where ssh wouldn't find it itself"),
        new("hostKey", "The server's public key as in known_hosts, e.g. 'ssh-ed25519 AAAA...', to accept no other"),
        new("password", "The user's password, where there is no key", IsSecret: true),
        new("passphrase", "What opens the private key", IsSecret: true),
    ];

    public static SftpSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, SftpAdapter.Form);
        var (password, passphrase) = (settings.Optional("password"), settings.Optional("passphrase"));
        if (password is not null && passphrase is not null)
            throw Bad("the account has a password and a passphrase", "Give the one that the login needs.");
        if (password is not null && settings.Optional("key") is not null)
        {
            throw Bad(
                "the account has a key and a password",
                "Give one of the two; what opens the key is the secret passphrase.");
        }
        var host = settings.Required("host");
        // ssh would take what begins with a dash for an option of its own.
        if (host.StartsWith('-') || host.AsSpan().ContainsAny(" \t\r\n/"))
            throw Bad($"'{NameRules.Show(host)}' is no name of a server", SftpAdapter.Form);
        var user = settings.Optional("user");
        if (user?.StartsWith('-') == true) throw Bad($"'{NameRules.Show(user)}' is no user", SftpAdapter.Form);
        var hostKey = settings.Optional("hostKey")?.Trim();
        if (hostKey is not null && (hostKey.Split(' ').Length < 2 || hostKey.AsSpan().ContainsAny('\r', '\n')))
        {
            throw Bad(
                "the setting hostKey is no public key",
                "It looks like 'ssh-ed25519 AAAAC3...', as ssh-keyscan prints it behind the host's name.");
        }
        return new SftpSettings(
            host, PortOf(settings.Optional("port")), user, FolderOf(settings.Required("path")),
            settings.Optional("key"), hostKey, password ?? passphrase, password is not null);
    }

    /// <summary>For people: never a secret.</summary>
    public override string ToString() =>
        $"sftp://{(User is null ? "" : User + "@")}{(Host.Contains(':') ? $"[{Host}]" : Host)}"
        + $"{(Port is { } port ? $":{port.ToString(CultureInfo.InvariantCulture)}" : "")}"
        + (Folder.StartsWith('/') ? Folder : "/~" + (Folder == "." ? "" : "/" + Folder));

    private static int? PortOf(string? text)
    {
        if (text is null) return null;
        if (ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0)
            return port;
        throw Bad($"the setting port is '{NameRules.Show(text)}'", "A port is a number from 1 to 65535.");
    }

    private static string FolderOf(string path)
    {
        if (path is "~" or "~/") return ".";
        if (path.StartsWith("~/", StringComparison.Ordinal)) return path[2..].TrimEnd('/');
        if (!path.StartsWith('/'))
            throw Bad($"the path '{NameRules.Show(path)}' begins with neither / nor ~/", SftpAdapter.Form);
        return path.Length == 1 ? path : path.TrimEnd('/');
    }

    private static VirgaException Bad(string message, string advice) => new(FailureKind.BadInput, message, advice);
}
