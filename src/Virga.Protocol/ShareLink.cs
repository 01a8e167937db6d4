using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>What is wrong with a text that is not a good link.</summary>
public enum LinkFault
{
    /// <summary>It has nothing of a link.</summary>
    NoLink,
    /// <summary>A link of a version that is not known here.</summary>
    Version,
    /// <summary>Its end is missing.</summary>
    Truncated,
    /// <summary>Its check characters don't fit the rest.</summary>
    Mistyped,
    /// <summary>Whole, but it breaks a rule.</summary>
    Malformed,
}

/// <summary>
/// A <c>virga:</c> URI (spec/v1/links.md). <see cref="ToText"/> gives the link with its secret: show it only to its
/// owner.
/// </summary>
public sealed record ShareLink(
    Hash256 InfoHash,
    IReadOnlyList<AgentId> Agents,
    IReadOnlyList<Endpoint> Repositories,
    IReadOnlyList<Endpoint> Endpoints,
    LinkSecret? Secret)
{
    private const string Start = "virga:1:";
    private const int HashChars = 64;
    private const int SecretChars = 43;
    private const int CheckBytes = 5;
    private const int CheckChars = 8;
    private const string Base32 = "abcdefghijklmnopqrstuvwxyz234567";
    private const string FaultKey = "virga.link";

    /// <summary>
    /// BadInput that tells a truncated link from a mistyped one from something that is no link at all.
    /// </summary>
    public static ShareLink Parse(string text)
    {
        text = text.Trim();
        if (text.Length > ProtocolLimits.LinkChars)
        {
            throw Bad(
                LinkFault.NoLink,
                $"the link has {text.Length} characters; no link has more than {ProtocolLimits.LinkChars}",
                "Copy the link alone, without the text around it.");
        }
        RequireStart(text);
        RequireCheck(text);

        var hash = text.IndexOf('#', StringComparison.Ordinal);
        var question = text.IndexOf('?', StringComparison.Ordinal);
        if (question < 0 || question > hash) throw NoEndpoint();
        if (!Hash256.TryParse(text.AsSpan(Start.Length, question - Start.Length), out var infoHash))
            throw Malformed("its share's name is not 64 hexadecimal digits");
        var link = ReadParts(infoHash, text[(question + 1)..hash], ReadSecret(text[(hash + 1)..^(CheckChars + 1)]));
        if (link.Repositories.Count + link.Endpoints.Count == 0) throw NoEndpoint();
        if (link.ToText() != text) throw Malformed("it is not written in the one form that a link has");
        return link;
    }

    public string ToText()
    {
        var text = new StringBuilder(Start).Append(InfoHash.ToString());
        var separator = '?';
        Add("a", Agents.Select(agent => agent.ToString()));
        Add("r", Repositories.Select(Escape));
        Add("e", Endpoints.Select(Escape));
        text.Append('#');
        if (Secret is not null) text.Append(System.Buffers.Text.Base64Url.EncodeToString(Secret.Bytes));
        return text.Append('.').Append(CheckOf(text.ToString(0, text.Length - 1))).ToString();

        void Add(string name, IEnumerable<string> values)
        {
            foreach (var value in values)
            {
                text.Append(separator).Append(name).Append('=').Append(value);
                separator = '&';
            }
        }
    }

    /// <summary>Without the secret, for logs.</summary>
    public override string ToString() => $"{Start}{InfoHash}";

    /// <summary>
    /// What was wrong with the link that <see cref="Parse"/> refused; null for failures of anything else.
    /// </summary>
    public static LinkFault? FaultOf(VirgaException failure) => failure.Data[FaultKey] as LinkFault?;

    private static void RequireStart(string text)
    {
        if (text.StartsWith(Start, StringComparison.Ordinal)) return;
        if (Start.StartsWith(text, StringComparison.Ordinal) && text.Length > 0) throw Truncated();
        if (text.StartsWith("virga:", StringComparison.Ordinal))
        {
            throw Bad(LinkFault.Version, "the link is of a version that this program does not know",
                "Update this program, or check that the link starts with 'virga:1:'.");
        }
        throw Bad(
            LinkFault.NoLink, "this is not a Virga link", "A link starts with 'virga:1:'; 'virga share' prints one.");
    }

    private static void RequireCheck(string text)
    {
        var hash = text.IndexOf('#', StringComparison.Ordinal);
        var dot = hash < 0 ? -1 : text.IndexOf('.', hash);
        if (dot < 0 || text.Length - dot - 1 < CheckChars) throw Truncated();
        if (CheckOf(text[..dot]) != text[(dot + 1)..])
        {
            throw Bad(LinkFault.Mistyped, "the link was mistyped or altered: its check characters don't fit the rest",
                "Copy the link again from where it came; don't type it by hand.");
        }
    }

    private static LinkSecret? ReadSecret(string text)
    {
        if (text.Length == 0) return null;
        Span<byte> bytes = stackalloc byte[LinkSecret.ByteCount];
        if (text.Length != SecretChars || !System.Buffers.Text.Base64Url.IsValid(text)
            || !System.Buffers.Text.Base64Url.TryDecodeFromChars(text, bytes, out var count) || count != bytes.Length)
            throw Malformed("its secret is not 32 bytes in base64url");
        return new LinkSecret(bytes);
    }

    private static ShareLink ReadParts(Hash256 infoHash, string parts, LinkSecret? secret)
    {
        var agents = new List<AgentId>();
        var repositories = new List<Endpoint>();
        var endpoints = new List<Endpoint>();
        foreach (var part in parts.Split('&'))
        {
            var value = part.Length > 2 ? part[2..] : "";
            if (part.StartsWith("a=", StringComparison.Ordinal))
                agents.Add(AgentId.TryParse(value, out var agent) ? agent
                    : throw Malformed("an agent's id in it is wrong"));
            else if (part.StartsWith("r=", StringComparison.Ordinal)) repositories.Add(ReadEndpoint(value));
            else if (part.StartsWith("e=", StringComparison.Ordinal)) endpoints.Add(ReadEndpoint(value));
            else throw Malformed("it has a part that is not known");
            if (Math.Max(agents.Count, Math.Max(repositories.Count, endpoints.Count)) > ProtocolLimits.LinkParts)
                throw Malformed($"it names more than {ProtocolLimits.LinkParts} of a kind");
        }
        return new ShareLink(infoHash, agents, repositories, endpoints, secret);
    }

    private static Endpoint ReadEndpoint(string value)
    {
        var text = value.Replace("%5B", "[", StringComparison.Ordinal).Replace("%5D", "]", StringComparison.Ordinal);
        return Endpoint.TryParse(text, out var endpoint) ? endpoint
            : throw Malformed("an address in it is not an https origin");
    }

    // Of the characters of an origin only the brackets of an IPv6 address may not stand in a query (RFC 3986
    // section 3.4).
    private static string Escape(Endpoint endpoint) => endpoint.ToText()
        .Replace("[", "%5B", StringComparison.Ordinal).Replace("]", "%5D", StringComparison.Ordinal);

    internal static string CheckOf(string text)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        ulong bits = 0;
        for (var i = 0; i < CheckBytes; i++) bits = (bits << 8) | digest[i];
        return string.Create(CheckChars, bits, static (chars, value) =>
        {
            for (var i = CheckChars - 1; i >= 0; i--, value >>= 5) chars[i] = Base32[(int)(value & 31)];
        });
    }

    private static VirgaException Truncated() => Bad(LinkFault.Truncated, "the link was cut short: its end is missing",
        "Copy the whole link again: it may have been broken over two lines; a command line needs quotes around it.");

    private static VirgaException NoEndpoint() => Bad(LinkFault.Malformed,
        "the link names no repository and no endpoint, so nobody can be asked for the share",
        "Ask whoever shared it for a new link.");

    private static VirgaException Malformed(string why) =>
        Bad(LinkFault.Malformed, $"the link is whole but malformed: {why}",
        "Ask whoever shared it for a new link, made by a current version.");

    private static VirgaException Bad(LinkFault fault, string message, string advice)
    {
        var kind = fault == LinkFault.Version ? FailureKind.Unsupported : FailureKind.BadInput;
        var failure = new VirgaException(kind, message, advice);
        failure.Data[FaultKey] = fault;
        return failure;
    }
}

/// <summary>The 32 bytes in a link's fragment and what is derived from them. Never sent.</summary>
public sealed class LinkSecret
{
    public const int ByteCount = 32;

    private readonly byte[] secret;
    private readonly Lazy<AgeIdentity> identity;
    private readonly Lazy<SigningKey> proofKey;

    public LinkSecret(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != ByteCount)
            throw new ArgumentException($"a link's secret has {ByteCount} bytes", nameof(bytes));
        secret = bytes.ToArray();
        identity = new Lazy<AgeIdentity>(() => new AgeIdentity(Derive("virga/1/link-identity"u8)));
        proofKey = new Lazy<SigningKey>(() => SigningKey.FromSeed(Derive("virga/1/link-proof"u8)));
    }

    public ReadOnlySpan<byte> Bytes => secret;

    /// <summary>Opens the manifest.</summary>
    public AgeIdentity Identity => identity.Value;

    /// <summary>
    /// Signs the proof in a grant request. It lives as long as this secret: not the caller's to dispose.
    /// </summary>
    public SigningKey ProofKey => proofKey.Value;

    /// <summary>Never the secret.</summary>
    public override string ToString() => "link secret";

    private byte[] Derive(ReadOnlySpan<byte> info)
    {
        var key = new byte[ByteCount];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, key, default, info);
        return key;
    }
}
