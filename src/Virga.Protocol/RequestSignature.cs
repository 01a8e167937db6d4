using System.Buffers.Text;
using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>
/// RFC 9421 HTTP message signatures with RFC 9530 Content-Digest, in the one profile of spec/v1/messages.md.
/// Pure: the caller gives the parts of the message and the time.
/// </summary>
public static class RequestSignature
{
    public const int NonceBytes = 16;
    private const string Label = "virga";
    private const string Tag = "virga-1";
    private const string Algorithm = "ed25519";
    private const string DigestAlgorithm = "sha-256";
    private static readonly string[] covered = ["@method", "@path", "@query", "content-digest", "virga-to"];
    private static readonly string[] parameterNames = ["created", "expires", "nonce", "keyid", "alg", "tag"];

    /// <summary>The headers (Content-Digest, Signature-Input, Signature, Virga-To) of a signed request.</summary>
    /// <param name="path">As on the request line, encoded; without the query.</param>
    /// <param name="query">With its '?', or empty.</param>
    /// <param name="nonce">16 random bytes, never used before.</param>
    public static IReadOnlyList<(string Name, string Value)> Sign(
        PeerIdentity self, AgentId receiver, string method, string path, string query, ReadOnlySpan<byte> body,
        DateTimeOffset created, ReadOnlySpan<byte> nonce)
    {
        if (nonce.Length != NonceBytes) throw new ArgumentException($"a nonce has {NonceBytes} bytes", nameof(nonce));
        var digest = StructuredFieldWriter.Write(
            new SfDictionary { (DigestAlgorithm, new SfMember(SfBare.Of(SHA256.HashData(body)), null, [])) });
        var seconds = created.ToUnixTimeSeconds();
        var parameters = new SfParameters
        {
            ("created", SfBare.Of(seconds)),
            ("expires", SfBare.Of(seconds + (long)ProtocolLimits.SignatureLifetime.TotalSeconds)),
            ("nonce", SfBare.Of(Base64Url.EncodeToString(nonce))),
            ("keyid", SfBare.Of(self.Id.ToString())),
            ("alg", SfBare.Of(Algorithm)),
            ("tag", SfBare.Of(Tag)),
        };
        var input = new SfMember(default, [.. covered.Select(name => new SfItem(SfBare.Of(name), []))], parameters);
        var receiverText = receiver.ToString();
        var message = Message(method, path, query, digest, receiverText);
        var signature = self.SigningKey.Sign(SignatureBase.Build(input, message));
        return
        [
            ("Content-Digest", digest),
            ("Virga-To", receiverText),
            ("Signature-Input", StructuredFieldWriter.Write(new SfDictionary { (Label, input) })),
            ("Signature", StructuredFieldWriter.Write(
                new SfDictionary { (Label, new SfMember(SfBare.Of(signature), null, [])) })),
        ];
    }

    /// <summary>
    /// Reads the headers and checks everything but the signature itself and the replay: profile, digest, receiver,
    /// times. Throws with the kind and code that messages.md names.
    /// </summary>
    /// <param name="header">A header's value by its name, its lines joined with ", "; null where there is none.</param>
    public static PendingSignature Read(
        AgentId receiver, string method, string path, string query, Func<string, string?> header,
        ReadOnlySpan<byte> body, DateTimeOffset now)
    {
        var inputs = StructuredFieldParser.ParseDictionary(Required(header, "Signature-Input"));
        var signatures = StructuredFieldParser.ParseDictionary(Required(header, "Signature"));
        var digest = Required(header, "Content-Digest");
        var to = Required(header, "Virga-To");
        if (inputs.Find(Label) is not { } input || signatures.Find(Label) is not { } signature)
            throw Unsigned($"no signature has the label '{Label}'");

        RequireComponents(input);
        var (created, expires, nonce, asker) = ReadParameters(input.Parameters);
        if (signature.Value is not { Kind: SfKind.Bytes, Bytes: { Length: SigningKey.SignatureBytes } bytes })
            throw BadSignature($"the signature is not {SigningKey.SignatureBytes} bytes");
        RequireTimes(created, expires, now);
        if (to != receiver.ToString())
            throw BadSignature(
                "the request is meant for another receiver",
                "Look the address up again: another peer answers there now.");
        RequireDigest(digest, body);
        return new PendingSignature(
            asker, created, expires, nonce, SignatureBase.Build(input, Message(method, path, query, digest, to)),
            bytes);
    }

    private static SignedMessage Message(string method, string path, string query, string digest, string to) =>
        new(method, null, null, path, query, null, name => name switch
        {
            "content-digest" => [digest],
            "virga-to" => [to],
            _ => [],
        });

    private static string Required(Func<string, string?> header, string name) =>
        header(name) ?? throw Unsigned($"the request has no {name} header");

    private static void RequireComponents(SfMember input)
    {
        var isProfile = input.Items is { } items && items.Count == covered.Length
            && items.Zip(covered).All(pair =>
                pair.First is { Value.Kind: SfKind.String, Parameters.Count: 0 }
                && pair.First.Value.Text == pair.Second);
        if (!isProfile) throw BadSignature($"the signature does not cover exactly {string.Join(' ', covered)}");
    }

    private static (DateTimeOffset Created, DateTimeOffset Expires, byte[] Nonce, AgentId Asker) ReadParameters(
        SfParameters parameters)
    {
        foreach (var (key, _) in parameters)
        {
            if (!parameterNames.Contains(key))
                throw BadSignature($"the signature has a parameter '{key}' that is not known");
        }
        if (Text("alg") != Algorithm) throw BadSignature($"the signature's algorithm is not {Algorithm}");
        if (Text("tag") != Tag) throw BadSignature($"the signature's tag is not {Tag}");
        var nonceText = Text("nonce");
        var nonce = new byte[NonceBytes];
        if (!Base64Url.IsValid(nonceText, out var length) || length != NonceBytes
            || !Base64Url.TryDecodeFromChars(nonceText, nonce, out _) || Base64Url.EncodeToString(nonce) != nonceText)
            throw BadSignature($"the nonce is not {NonceBytes} bytes in base64url");
        var keyId = Text("keyid");
        if (!AgentId.TryParse(keyId, out var asker) || asker.ToString() != keyId)
            throw BadSignature("the keyid is not an agent's id");
        return (Time("created"), Time("expires"), nonce, asker);

        string Text(string key) =>
            parameters.Find(key) is { Kind: SfKind.String, Text: { } text } ? text
                : throw BadSignature($"the signature has no {key}");

        DateTimeOffset Time(string key) =>
            parameters.Find(key) is { Kind: SfKind.Integer, Integer: >= 0 and <= ProtocolLimits.LastUnixSeconds } value
                ? DateTimeOffset.FromUnixTimeSeconds(value.Integer) : throw BadSignature($"the signature has no {key}");
    }

    private static void RequireTimes(DateTimeOffset created, DateTimeOffset expires, DateTimeOffset now)
    {
        var lifetime = expires - created;
        if (lifetime <= TimeSpan.Zero || lifetime > ProtocolLimits.SignatureLifetime)
        {
            var most = ProtocolLimits.SignatureLifetime.TotalSeconds;
            throw BadSignature($"the signature lives {lifetime.TotalSeconds} s, not 1 to {most}");
        }
        if ((now - created).Duration() > ProtocolLimits.ClockDifference)
        {
            throw Clock($"the request was signed at {Wire.Show(created)}, but the clock here says {Wire.Show(now)}: "
                + $"they differ by {(now - created).Duration().TotalSeconds:0} s");
        }
        if (expires <= now)
            throw Clock($"the request's signature expired at {Wire.Show(expires)}");
    }

    private static void RequireDigest(string header, ReadOnlySpan<byte> body)
    {
        var member = StructuredFieldParser.ParseDictionary(header).Find(DigestAlgorithm);
        if (member?.Value is not { Kind: SfKind.Bytes, Bytes: { } bytes } || bytes.Length != SHA256.HashSizeInBytes)
            throw BadSignature($"Content-Digest has no {DigestAlgorithm}");
        if (!bytes.AsSpan().SequenceEqual(SHA256.HashData(body)))
            throw BadSignature("the body is not the one that was signed");
    }

    private static VirgaException Unsigned(string message) =>
        new VirgaException(
            FailureKind.Unauthenticated, message,
            "Sign the request as the protocol says; plain clients can't make this call.")
            .WithCode(ErrorCode.Unsigned);

    private static VirgaException BadSignature(string message, string? advice = null) =>
        new VirgaException(FailureKind.Unauthenticated, message, advice ?? Wire.FormatAdvice)
            .WithCode(ErrorCode.BadSignature);

    private static VirgaException Clock(string message) =>
        new VirgaException(FailureKind.ClockSkew, message, "Set the clock that is wrong, then try again.")
            .WithCode(ErrorCode.Clock);
}

/// <summary>A well-formed signature that is still to be checked with the asker's key.</summary>
public sealed record PendingSignature(
    AgentId Asker, DateTimeOffset Created, DateTimeOffset Expires, byte[] Nonce, byte[] Base, byte[] Signature)
{
    public bool Verify(VerifyKey key) => key.Verify(Base, Signature);
}
