using Amazon.S3;
using Amazon.S3.Model;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// Presigned GET requests (Amazon S3 User Guide, "Download and upload objects with presigned URLs"). If-Match is among
/// the signed headers, so that the URL reads the one version and no later one.
/// </summary>
internal sealed class S3SignedUrls(S3Bucket bucket) : ISignedReadUrls
{
    public static bool CanSign(S3Settings settings) =>
        settings.AccessKey is not null && settings.Endpoint.Scheme == Uri.UriSchemeHttps;

    public async ValueTask<SignedReadUrl> SignReadAsync(
        EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        var match = pin.Value.StartsWith('"') ? pin.Value : $"\"{pin.Value}\"";
        var url = await SignAsync(path, match, lifetime, cancellationToken);
        Hash256? certificate = bucket.Settings.CertSha256 is { } pinned && Hash256.TryParse(pinned, out var hash)
            ? hash : null;
        return new SignedReadUrl(url, match, certificate);
    }

    /// <summary>An ETag has no place in a URL here: this one reads whatever stands there.</summary>
    public ValueTask<Uri> SignBareReadAsync(
        EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken) =>
        SignAsync(path, null, lifetime, cancellationToken);

    private async ValueTask<Uri> SignAsync(
        EntryPath path, string? match, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        var request = new GetPreSignedUrlRequest
        {
            BucketName = bucket.Name,
            Key = bucket.Key(path),
            Verb = HttpVerb.GET,
            Protocol = Protocol.HTTPS,
            Expires = bucket.Services.Clock.GetUtcNow().UtcDateTime + lifetime,
        };
        if (match is not null) request.Headers["If-Match"] = match;
        return new Uri(await bucket.CallAsync(
            $"sign a URL for '{path}'", _ => bucket.Client.GetPreSignedURLAsync(request), cancellationToken));
    }
}
