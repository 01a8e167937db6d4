using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Trust;

/// <summary>One statement of a sigchain, decoded (spec/v1/sigchain.md).</summary>
/// <param name="Body">The bencoded body.</param>
/// <param name="Hash">
/// SHA-256 of the statement's bytes: the AgentId for a genesis, else what the next one's prev must be.
/// </param>
public sealed record Statement(
    AgentId? Agent, long Seq, Hash256? Previous, DateTimeOffset Time, string Type, byte[] Body, Hash256 Hash)
{
    public const string SignatureType = "statement";
    public const int MaxBytes = 16 << 10;

    internal const long LastUnixSeconds = 253_402_300_799;
    internal static readonly TimeSpan ClockDifference = TimeSpan.FromSeconds(300);
    private static readonly BencodeLimits limits = new(MaxBytes, 16, 4_096);

    /// <summary>The signed bytes, as they came.</summary>
    public byte[] Bytes { get; init; } = [];

    /// <summary>The envelope's signature over <see cref="Bytes"/>.</summary>
    public byte[] Signature { get; init; } = [];

    /// <summary>Reads the form only: neither the body's fields nor the signature are checked.</summary>
    internal static Statement Parse(byte[] bytes, byte[] signature)
    {
        var fields = BencodeValue.ParseDictionary(bytes, limits, "statement");
        fields.AllowOnly("agent", "body", "prev", "seq", "time", "type");
        var seq = fields.Integer("seq", 0);
        var type = fields.Text("type", 32);
        var isGenesis = type == StatementType.Genesis;
        if (isGenesis != (seq == 0)) throw Bad($"statement: number {seq} can't be of type '{Show(type)}'");
        if (isGenesis && (fields.Contains("agent") || fields.Contains("prev")))
            throw Bad("statement: a genesis has neither agent nor prev");
        if (signature.Length != SigningKey.SignatureBytes) throw Bad("statement: its signature is not 64 bytes");
        return new Statement(
            isGenesis ? null : new AgentId(fields.Hash("agent")), seq, isGenesis ? null : fields.Hash("prev"),
            DateTimeOffset.FromUnixTimeSeconds(fields.Integer("time", 0, LastUnixSeconds)), type,
            fields.Dictionary("body").Encode(),
            new Hash256(SHA256.HashData(bytes)))
        {
            Bytes = bytes,
            Signature = signature,
        };
    }

    internal BencodeDictionary Fields(params ReadOnlySpan<string> keys)
    {
        var fields = BencodeValue.ParseDictionary(Body, limits, $"statement {Seq} ({Type})");
        fields.AllowOnly(keys);
        return fields;
    }

    internal static VirgaException Bad(string message) => new(FailureKind.BadInput, message,
        "Fetch the chain from somewhere else; if it stays, the agent that made it is broken or lies.");

    private static string Show(string text) => string.Concat(text.Select(c => c is >= ' ' and <= '~' ? c : '?'));
}

/// <summary>The types of statements. Any other is refused.</summary>
public static class StatementType
{
    public const string Genesis = "genesis";
    public const string AddKey = "addkey";
    public const string RemoveKey = "removekey";
    public const string Endpoint = "endpoint";
    public const string Profile = "profile";
    public const string Vouch = "vouch";
    public const string Revoke = "revoke";
    public const string Disown = "disown";
}

/// <summary>An endpoint that a chain names.</summary>
/// <param name="Url">An https origin: see <see cref="HttpsOrigin"/>.</param>
/// <param name="Certificate">SHA-256 of the DER certificate; null where public authorities vouch for it.</param>
public sealed record ChainEndpoint(Uri Url, Hash256? Certificate);
