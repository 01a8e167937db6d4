using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.Gcs;

/// <summary>
/// V4 signed URLs, signed here with the service account's key ("V4 signing process with your own program"). The
/// generation is among what is signed: the URL reads that one version and no other.
/// </summary>
internal sealed class GcsSignedUrls(GcsClient client, ServiceAccountKey key) : ISignedReadUrls
{
    private const string Host = "storage.googleapis.com";

    public ValueTask<SignedReadUrl> SignReadAsync(
        EntryPath path, EntryVersion pin, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var now = client.Services.Clock.GetUtcNow().UtcDateTime;
        var moment = now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var scope = $"{now.ToString("yyyyMMdd", CultureInfo.InvariantCulture)}/auto/storage/goog4_request";
        var place = new Uri(client.XmlUrl(client.Name(path))).AbsolutePath;
        (string Name, string Value)[] fields =
        [
            ("X-Goog-Algorithm", "GOOG4-RSA-SHA256"), ("X-Goog-Credential", $"{key.Mail}/{scope}"),
            ("X-Goog-Date", moment),
            ("X-Goog-Expires", Math.Max(1, (long)lifetime.TotalSeconds).ToString(CultureInfo.InvariantCulture)),
            ("X-Goog-SignedHeaders", "host"), ("generation", pin.Value),
        ];
        var query = string.Join('&', fields.Select(f => $"{f.Name}={Uri.EscapeDataString(f.Value)}"));
        var canonical = $"GET\n{place}\n{query}\nhost:{Host}\n\nhost\nUNSIGNED-PAYLOAD";
        var text = $"GOOG4-RSA-SHA256\n{moment}\n{scope}\n"
            + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)));
        using var rsa = key.Open();
        var signature = Convert.ToHexStringLower(rsa.SignData(
            Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        return ValueTask.FromResult(new SignedReadUrl(
            new Uri($"https://{Host}{place}?{query}&X-Goog-Signature={signature}"), null, null));
    }
}
