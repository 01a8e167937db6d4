using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>
/// What who holds a link but is no agent, such as a page in a browser, reads a share with (spec/v1/guests.md): the
/// value of the Authorization header <c>Virga-Link EXPIRES.SIGNATURE</c>. A bearer secret while it lives.
/// </summary>
public static class LinkPass
{
    public const string SignatureType = "link-read";
    private const string Scheme = "Virga-Link ";

    public static string Make(LinkSecret secret, Hash256 infoHash, AgentId receiver, DateTimeOffset expires)
    {
        var signature = DomainSignature.Sign(secret.ProofKey, SignatureType, Message(infoHash, receiver, expires));
        var seconds = expires.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return $"{Scheme}{seconds}.{Base64Url.EncodeToString(signature)}";
    }

    public static bool IsOne(string authorization) => authorization.StartsWith(Scheme, StringComparison.Ordinal);

    /// <summary>
    /// False where it was not made with the link's secret, or for another share or receiver; Unauthenticated where it
    /// has expired, or lives longer than it may.
    /// </summary>
    /// <param name="proofKey">The public half, which the share's owner keeps.</param>
    public static bool Verify(
        VerifyKey proofKey, Hash256 infoHash, AgentId receiver, DateTimeOffset now, string authorization)
    {
        if (!TryRead(authorization, out var expires, out var signature)
            || !DomainSignature.Verify(proofKey, SignatureType, Message(infoHash, receiver, expires), signature))
            return false;
        if (expires >= now && expires - now <= ProtocolLimits.LinkPassLifetime) return true;
        throw new VirgaException(
            FailureKind.Unauthenticated,
            expires < now ? "the pass has expired" : "the pass would live for longer than a pass may",
            "Make a new one, by this agent's clock.");
    }

    private static bool TryRead(string authorization, out DateTimeOffset expires, out byte[] signature)
    {
        (expires, signature) = (default, []);
        if (!IsOne(authorization)) return false;
        var text = authorization.AsSpan(Scheme.Length);
        var dot = text.IndexOf('.');
        if (dot < 1 || text.Length > 120
            || !long.TryParse(text[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            || !Base64Url.IsValid(text[(dot + 1)..])) return false;
        expires = DateTimeOffset.FromUnixTimeSeconds(seconds);
        signature = Base64Url.DecodeFromChars(text[(dot + 1)..]);
        return signature.Length == SigningKey.SignatureBytes;
    }

    private static byte[] Message(Hash256 infoHash, AgentId receiver, DateTimeOffset expires)
    {
        var message = new byte[(2 * Hash256.ByteCount) + sizeof(long)];
        infoHash.CopyTo(message);
        receiver.Hash.CopyTo(message.AsSpan(32));
        BinaryPrimitives.WriteInt64BigEndian(message.AsSpan(64), expires.ToUnixTimeSeconds());
        return message;
    }
}
