using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Keys;

namespace Virga.Protocol;

/// <summary>A <c>virga:</c> URI (spec/v1/links.md). ToString gives the link with its secret: show it only to its owner.</summary>
public sealed record ShareLink(
    Hash256 InfoHash,
    IReadOnlyList<AgentId> Agents,
    IReadOnlyList<Endpoint> Repositories,
    IReadOnlyList<Endpoint> Endpoints,
    LinkSecret? Secret)
{
    /// <summary>BadInput that tells a truncated link from a mistyped one from something that is no link at all.</summary>
    public static ShareLink Parse(string text) => throw new NotImplementedException();

    public string ToText() => throw new NotImplementedException();

    /// <summary>Without the secret, for logs.</summary>
    public override string ToString() => $"virga:1:{InfoHash}";
}

/// <summary>The 32 bytes in a link's fragment and what is derived from them. Never sent.</summary>
public sealed class LinkSecret(ReadOnlySpan<byte> bytes)
{
    private readonly byte[] secret = bytes.ToArray();

    public ReadOnlySpan<byte> Bytes => secret;

    /// <summary>Opens the manifest.</summary>
    public AgeIdentity Identity => throw new NotImplementedException();

    /// <summary>Signs the proof in a grant request.</summary>
    public SigningKey ProofKey => throw new NotImplementedException();
}
