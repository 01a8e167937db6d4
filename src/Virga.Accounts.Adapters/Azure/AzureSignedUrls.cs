using Virga.Core;

namespace Virga.Accounts.Adapters.Azure;

/// <summary>
/// Service SAS tokens for single blobs, signed here ("Create a service SAS"). A token can't be bound to an ETag: the
/// URL goes with an If-Match that honest readers send, and what they read is verified anyway.
/// </summary>
internal sealed class AzureSignedUrls(AzureClient client) : ISignedReadUrls
{
    public ValueTask<SignedReadUrl> SignReadAsync(
        EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var name = client.Name(path);
        var expires = client.Services.Clock.GetUtcNow() + lifetime;
        var query = client.Signer!.SignRead(
            client.Settings.Container, name, expires, client.Settings.SignsForTlsOnly);
        Hash256? certificate = client.Settings.CertSha256 is { } pinned && Hash256.TryParse(pinned, out var hash)
            ? hash : null;
        return ValueTask.FromResult(new SignedReadUrl(
            new Uri(client.UrlOf(name, query)), AzureAccount.Version(pin.Value).Value, certificate));
    }
}
