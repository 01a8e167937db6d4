using System.Net;
using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>An Azure account's configuration, checked.</summary>
/// <param name="Endpoint">Scheme, host and port.</param>
/// <param name="Account">The storage account's name, for signatures and, in path style, in every path.</param>
/// <param name="Prefix">Where in the container the account's root lies; "" or ends in '/'.</param>
/// <param name="AccountKey">Decoded; null without.</param>
/// <param name="Sas">A SAS token without its '?'; null without.</param>
internal sealed record AzureSettings(
    Uri Endpoint,
    string Account,
    string Container,
    string Prefix,
    string? CertSha256,
    byte[]? AccountKey,
    string? Sas,
    string? Service = null)
{
    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("endpoint", "URL of the Blob service, e.g. https://myaccount.blob.core.windows.net", IsRequired: true),
        new("container", "The container's name", IsRequired: true),
        new("prefix", "Folder of the container that is the account's root"),
        new("account", "The storage account's name; taken from the address otherwise"),
        new("certSha256", "SHA-256 of the only TLS certificate to accept, for self-signed ones"),
        new("service", "Name of the service, where its other users reach it by another host than this endpoint"),
        new("accountKey", "Access key of the storage account, in Base64; or give sas", IsSecret: true),
        new("sas", "SAS token for the container; leave both out for a public container", IsSecret: true),
    ];

    /// <summary>Addresses and single labels are emulators, which have the account's name in the path.</summary>
    public static bool IsPathStyle(string host) =>
        IPAddress.TryParse(host.Trim('[', ']'), out _) || !host.Contains('.', StringComparison.Ordinal);

    public bool HasAccountInPath => IsPathStyle(Endpoint.Host);

    /// <summary>
    /// Whether tokens that this account signs are for https alone. An emulator may itself stand behind what speaks TLS.
    /// </summary>
    public bool SignsForTlsOnly => Endpoint.Scheme == Uri.UriSchemeHttps && !HasAccountInPath;

    /// <summary>What the SAS token says of itself; null without one.</summary>
    public AzureSasToken? SasToken => Sas is null ? null : AzureSasToken.Parse(Sas);

    public static AzureSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, AzureAdapter.Form);
        var endpoint = ParseEndpoint(settings.Required("endpoint"));
        var container = settings.Required("container");
        // Naming and Referencing Containers, Blobs, and Metadata: 3 to 63 lower-case letters, digits and single
        // hyphens, or one of the service's own such as $root and $web.
        if (container is not ("$root" or "$web" or "$logs") && (container.Length is < 3 or > 63
            || container.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789-")
            || container.Contains("--", StringComparison.Ordinal) || container[0] == '-' || container[^1] == '-'))
        {
            throw new VirgaException(
                FailureKind.BadInput,
                $"'{container}' can't be a container's name",
                "It has 3 to 63 lower-case letters, digits and single hyphens. " + AzureAdapter.Form);
        }
        var prefix = EntryPath.Parse(settings.Optional("prefix")?.Trim('/') ?? "");
        var (key, sas) = (settings.Optional("accountKey"), settings.Optional("sas"));
        if (key is not null && sas is not null)
            throw new VirgaException(
                FailureKind.BadInput, "the account has both an accountKey and a sas", "Give one of them.");
        return new AzureSettings(
            endpoint,
            settings.Optional("account") ?? endpoint.Host.Split('.')[0],
            container,
            prefix.IsRoot ? "" : prefix.Value + "/",
            Http.Endpoint.ParseCertSha256(settings.Optional("certSha256")),
            key is null ? null : ParseKey(key),
            sas is null ? null : AzureSasToken.Checked(sas),
            settings.Optional("service"));
    }

    public override string ToString() => $"container {Container} of {Account}";

    private static byte[] ParseKey(string text)
    {
        var buffer = new byte[text.Length];
        if (Convert.TryFromBase64String(text.Trim(), buffer, out var count) && count >= 32) return buffer[..count];
        throw new VirgaException(
            FailureKind.BadInput,
            "the accountKey is no key of a storage account",
            text.Contains("AccountKey=", StringComparison.OrdinalIgnoreCase)
                ? "That is a connection string: give only what stands behind AccountKey=, up to the next semicolon."
                : "Copy one of the two under 'Access keys' of the storage account; it ends in '=='.");
    }

    private static Uri ParseEndpoint(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0
            && uri.AbsolutePath == "/" && uri.UserInfo.Length == 0 && uri.Query.Length == 0 && uri.Fragment.Length == 0
            ? uri
            : throw new VirgaException(
                FailureKind.BadInput, $"'{text}' is not the URL of a Blob service", AzureAdapter.Form);
}
