using System.Buffers.Binary;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>spec/v1/grants.md. Permission to read one share; a bearer secret while it lives.</summary>
/// <param name="Nonce">16 random bytes.</param>
public sealed record Grant(
    AgentId Agent, AudienceKind Audience, IReadOnlyList<Hash256> Chain, DateTimeOffset Expires, AgentId Issuer,
    byte[] Nonce, Hash256 Share)
{
    public const string SignatureType = "grant";
    public const int NonceBytes = 16;

    public byte[] Encode() => BencodeWriter.Encode(writer =>
        writer.StartDictionary().Key("agent").Hash(Agent.Hash).Key("audience").Text(NameOf(Audience))
            .Key("chain").Hashes(Chain).Key("expires").Time(Expires).Key("issuer").Hash(Issuer.Hash)
            .Key("nonce").Bytes(Nonce).Key("share").Hash(Share).End());

    public static Grant Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(
            body, "grant", "agent", "audience", "chain", "expires", "issuer", "nonce", "share");
        return new Grant(
            fields.Agent("agent"), AudienceOf(fields.Text("audience", 16)),
            fields.Hashes("chain", ProtocolLimits.GrantChainHashes),
            fields.Time("expires"), fields.Agent("issuer"), fields.Bytes("nonce", NonceBytes, NonceBytes),
            fields.Hash("share"));
    }

    /// <summary>The value of the Authorization header that carries a signed grant.</summary>
    public static string Authorization(string bearer) => "Virga " + bearer;

    internal static string NameOf(AudienceKind audience) => audience switch
    {
        AudienceKind.Public => "public",
        AudienceKind.Link => "link",
        AudienceKind.Agents => "agents",
        AudienceKind.Trusted => "trusted",
        _ => throw new ArgumentOutOfRangeException(nameof(audience), audience, "not an audience"),
    };

    internal static AudienceKind AudienceOf(string name) => name switch
    {
        "public" => AudienceKind.Public,
        "link" => AudienceKind.Link,
        "agents" => AudienceKind.Agents,
        "trusted" => AudienceKind.Trusted,
        _ => throw Wire.Bad($"grant: '{PeerText.Clean(name, 16)}' is not an audience"),
    };
}

/// <summary>A grant as the agent that asked for it holds it; a secret while it lives.</summary>
/// <param name="Bearer">What the Authorization header carries.</param>
/// <param name="Owner">Who made the share.</param>
/// <param name="Secret">Opens the manifest of a share for trusted agents; null for other audiences.</param>
/// <param name="IsDirect">Whether the issuer gives signed URLs of the storage itself.</param>
/// <param name="CopyService">The service whose accounts may copy from the owner's; null where none may.</param>
/// <param name="Pass">What is shown to others that hold the share; null where none is needed or given.</param>
public sealed record HeldGrant(
    string Bearer, Grant Grant, AgentId Owner, LinkSecret? Secret, bool IsDirect = false, string? CopyService = null,
    HeldPass? Pass = null)
{
    public override string ToString() => Grant.Share.ToString();
}

/// <summary>Body of a request for a grant.</summary>
/// <param name="Proof">64 bytes for shares of audience link: see <see cref="LinkProof"/>.</param>
/// <param name="Seal">The asker's X25519 key that the answer is sealed to.</param>
/// <param name="Pass">Shown to a holder that is not the owner; null to the owner.</param>
public sealed record GrantRequest(byte[]? Proof, Hash256 Seal, SignedEnvelope? Pass = null)
{
    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary();
        if (Pass is not null)
        {
            writer.Key("pass");
            Pass.Write(writer);
        }
        if (Proof is not null) writer.Key("proof").Bytes(Proof);
        writer.Key("seal").Hash(Seal).End();
    });

    public static GrantRequest Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "grant request", "pass", "proof", "seal");
        return new GrantRequest(
            fields.OptionalBytes("proof", SigningKey.SignatureBytes, SigningKey.SignatureBytes), fields.Hash("seal"),
            fields.OptionalDictionary("pass") is { } pass ? SignedEnvelope.Read(pass) : null);
    }
}

/// <summary>What a sealed answer to a request for a grant holds.</summary>
/// <param name="Owner">Who made the share: the agent to look for in chains and repositories.</param>
/// <param name="Secret">Opens the manifest of a share for trusted agents; absent for other audiences.</param>
/// <param name="IsDirect">Whether the storage itself may be read, by signed URLs (spec/v1/direct.md).</param>
/// <param name="CopyService">
/// The service whose accounts may copy inside it (spec/v1/copies.md); null where none may.
/// </param>
/// <param name="Pass">A signed <see cref="SharePass"/>; null in public shares, and from others than the owner.</param>
public sealed record GrantAnswer(
    SignedEnvelope Grant, AgentId Owner, LinkSecret? Secret = null, bool IsDirect = false, string? CopyService = null,
    SignedEnvelope? Pass = null)
{
    public byte[] Encode() => BencodeWriter.Encode(writer =>
    {
        writer.StartDictionary();
        if (CopyService is not null) writer.Key("copy").Text(CopyService);
        if (IsDirect) writer.Key("direct").Integer(1);
        writer.Key("grant");
        Grant.Write(writer);
        writer.Key("owner").Hash(Owner.Hash);
        if (Pass is not null)
        {
            writer.Key("pass");
            Pass.Write(writer);
        }
        if (Secret is not null) writer.Key("secret").Bytes(Secret.Bytes);
        writer.End();
    });

    public static GrantAnswer Parse(ReadOnlySpan<byte> body)
    {
        var fields = Wire.Dictionary(body, "grant answer", "copy", "direct", "grant", "owner", "pass", "secret");
        var secret = fields.OptionalBytes("secret", LinkSecret.ByteCount, LinkSecret.ByteCount);
        return new GrantAnswer(
            SignedEnvelope.Read(fields.Dictionary("grant")), fields.Agent("owner"),
            secret is null ? null : new LinkSecret(secret), fields.OptionalInteger("direct", 1, 1) is not null,
            fields.Contains("copy") ? CopiesRequest.Visible(fields, "grant answer", "copy") : null,
            fields.OptionalDictionary("pass") is { } pass ? SignedEnvelope.Read(pass) : null);
    }
}

/// <summary>The proof that the asker holds a share's link, bound to the asker, the receiver and the moment.</summary>
public static class LinkProof
{
    public const string SignatureType = "link-proof";

    /// <param name="created">The <c>created</c> of the signed request that carries the proof.</param>
    public static byte[] Make(
        LinkSecret secret, Hash256 infoHash, AgentId asker, AgentId receiver, DateTimeOffset created) =>
        DomainSignature.Sign(secret.ProofKey, SignatureType, Message(infoHash, asker, receiver, created));

    /// <param name="proofKey">The public half, which the share's owner keeps.</param>
    public static bool Verify(
        VerifyKey proofKey, Hash256 infoHash, AgentId asker, AgentId receiver, DateTimeOffset created,
        ReadOnlySpan<byte> proof) =>
        proof.Length == SigningKey.SignatureBytes
        && DomainSignature.Verify(proofKey, SignatureType, Message(infoHash, asker, receiver, created), proof);

    private static byte[] Message(Hash256 infoHash, AgentId asker, AgentId receiver, DateTimeOffset created)
    {
        var message = new byte[(3 * Hash256.ByteCount) + sizeof(long)];
        infoHash.CopyTo(message);
        asker.Hash.CopyTo(message.AsSpan(32));
        receiver.Hash.CopyTo(message.AsSpan(64));
        BinaryPrimitives.WriteInt64BigEndian(message.AsSpan(96), created.ToUnixTimeSeconds());
        return message;
    }
}
