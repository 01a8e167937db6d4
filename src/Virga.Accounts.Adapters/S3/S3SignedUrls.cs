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
        var what = $"sign a URL for '{path}'";
        var match = pin.Value.StartsWith('"') ? pin.Value : $"\"{pin.Value}\"";
        var request = new GetPreSignedUrlRequest
        {
            BucketName = bucket.Name,
            Key = bucket.Key(path),
            Verb = HttpVerb.GET,
            Protocol = Protocol.HTTPS,
            Expires = bucket.Services.Clock.GetUtcNow().UtcDateTime + lifetime,
        };
        request.Headers["If-Match"] = match;
        var url = await bucket.CallAsync(what, _ => bucket.Client.GetPreSignedURLAsync(request), cancellationToken);
        Hash256? certificate = bucket.Settings.CertSha256 is { } pinned && Hash256.TryParse(pinned, out var hash)
            ? hash : null;
        return new SignedReadUrl(new Uri(url), match, certificate);
    }
}
