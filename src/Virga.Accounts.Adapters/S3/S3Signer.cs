using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// Signature Version 4 in a header ("Signature Calculations for the Authorization Header: Transferring Payload in a
/// Single Chunk"). Safe for several threads.
/// </summary>
internal sealed class S3Signer(string accessKey, string secretKey, string region)
{
    public const string UnsignedPayload = "UNSIGNED-PAYLOAD";

    private const string Algorithm = "AWS4-HMAC-SHA256";

    private volatile DayKey? today;

    /// <summary>The moment as the header x-amz-date tells it.</summary>
    public static string Moment(DateTimeOffset now) =>
        now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);

    /// <summary>The value of the header Authorization.</summary>
    /// <param name="path">Of the URL, encoded once.</param>
    /// <param name="query">Encoded, in the order of its names, without a '?'.</param>
    /// <param name="headers">
    /// Those that are signed: names in lower case and in their order, x-amz-date among them.
    /// </param>
    /// <param name="payloadHash">
    /// Lower-case hexadecimal of the body's SHA-256, or <see cref="UnsignedPayload"/>.
    /// </param>
    /// <param name="moment">What <see cref="Moment"/> gives.</param>
    public string Sign(
        string method, string path, string query, IReadOnlyList<(string Name, string Value)> headers,
        string payloadHash, string moment)
    {
        var names = string.Join(';', headers.Select(h => h.Name));
        var canonical = new StringBuilder(512)
            .Append(method).Append('\n').Append(path).Append('\n').Append(query).Append('\n');
        foreach (var (name, value) in headers) canonical.Append(name).Append(':').Append(value).Append('\n');
        canonical.Append('\n').Append(names).Append('\n').Append(payloadHash);
        var day = moment[..8];
        var scope = $"{day}/{region}/s3/aws4_request";
        var text = $"{Algorithm}\n{moment}\n{scope}\n{Hash(Encoding.UTF8.GetBytes(canonical.ToString()))}";
        var signature = Convert.ToHexStringLower(HMACSHA256.HashData(KeyOf(day), Encoding.UTF8.GetBytes(text)));
        return $"{Algorithm} Credential={accessKey}/{scope},SignedHeaders={names},Signature={signature}";
    }

    public static string Hash(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, hash);
        return Convert.ToHexStringLower(hash);
    }

    private byte[] KeyOf(string day)
    {
        if (today is { } known && known.Day == day) return known.Key;
        var key = Encoding.UTF8.GetBytes("AWS4" + secretKey);
        foreach (var step in (ReadOnlySpan<string>)[day, region, "s3", "aws4_request"])
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(step));
        today = new DayKey(day, key);
        return key;
    }

    private sealed record DayKey(string Day, byte[] Key);
}
