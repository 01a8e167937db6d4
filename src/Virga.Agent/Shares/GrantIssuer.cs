using System.Buffers.Text;
using System.Collections.Concurrent;
using Virga.Agent.Trust;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Keys;
using Virga.Protocol;
using Virga.Trust;

namespace Virga.Agent.Shares;

/// <summary>Decides who may read a share, and recognises the grants that it gave (spec/v1/grants.md).</summary>
internal sealed class GrantIssuer(PeerIdentity self, TrustService trust, TimeProvider time, RandomBytes random)
{
    private const int CacheMax = 4096;
    private const int NonceBytes = 16;
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    // Verifying a signature for each range would cost more than reading it.
    private readonly ConcurrentDictionary<string, Grant> accepted = new(StringComparer.Ordinal);

    /// <summary>The sealed answer to a grant request.</summary>
    /// <param name="share">
    /// Null when there is no such share; the answer is then the same as for one that the asker may not know of.
    /// </param>
    /// <param name="ended">A share of that hash whose time is over: who could have read it is told so.</param>
    public byte[] Issue(
        Hash256 infoHash, State.ShareRow? share, Sigchain asker, DateTimeOffset created, ReadOnlySpan<byte> body,
        State.ShareRow? ended = null)
    {
        var request = Read(asker, body);
        if (share is null && ended is not null && Admit(ended, asker.Id, created, request.Proof) is not null)
            throw EndedShares.Over(ended);
        if (share is null || Admit(share, asker.Id, created, request.Proof) is not { } chain)
            throw NoSuchShare(infoHash);
        var grant = Sign(
            asker.Id, share.Audience, chain, NotAfter(time.GetUtcNow() + Lifetime, share.Ends), infoHash);
        var secret = share.Audience == AudienceKind.Trusted ? new LinkSecret(share.Secret) : null;
        var pass = share.Audience == AudienceKind.Public ? null : PassFor(asker.Id, share);
        var answer = new GrantAnswer(grant, self.Id, secret, share.IsDirect, share.CopyService, pass).Encode();
        return SealedMessage.Seal(answer, new AgeRecipient(request.Seal), random);
    }

    /// <summary>The same for a share that is passed on, to who showed its owner's pass; null in public ones.</summary>
    public byte[] IssueHeld(Holding holding, SharePass? pass, Sigchain asker, GrantRequest request)
    {
        var latest = time.GetUtcNow() + Lifetime;
        var expires = pass is not null && pass.Expires < latest ? pass.Expires : latest;
        var grant = Sign(
            asker.Id, pass?.Audience ?? AudienceKind.Public, [asker.Id.Hash], expires, holding.Share.InfoHash);
        var owner = pass?.Issuer ?? holding.Owners.DefaultIfEmpty(self.Id).First();
        return SealedMessage.Seal(new GrantAnswer(grant, owner).Encode(), new AgeRecipient(request.Seal), random);
    }

    public static GrantRequest Read(Sigchain asker, ReadOnlySpan<byte> body)
    {
        var request = GrantRequest.Parse(body);
        if (!asker.ValidSealKeys.Contains(request.Seal))
            throw new VirgaException(FailureKind.Denied, "the key to seal to is none of the asker's");
        return request;
    }

    private SignedEnvelope Sign(
        AgentId asker, AudienceKind audience, IReadOnlyList<Hash256> chain, DateTimeOffset expires, Hash256 infoHash)
    {
        var nonce = new byte[NonceBytes];
        random(nonce);
        var grant = new Grant(asker, audience, chain, expires, self.Id, nonce, infoHash);
        return SignedEnvelope.Sign(self.SigningKey, "grant", grant.Encode());
    }

    /// <summary>The chain that lets an asker read a share; null where none does.</summary>
    private IReadOnlyList<Hash256>? Admit(
        State.ShareRow share, AgentId asker, DateTimeOffset created, byte[]? proof) => share.Audience switch
        {
            AudienceKind.Public => [asker.Hash],
            AudienceKind.Link when HasLink(share, asker, created, proof) => [asker.Hash],
            AudienceKind.Trusted when trust.IsAdmitted(asker, share.Reach) => trust.ChainOfRecord(asker, share.Reach),
            AudienceKind.Agents when new NamedAgents(share.Readers).Admits(asker, "exchange", out var chain) => chain,
            _ => null,
        };

    private static DateTimeOffset NotAfter(DateTimeOffset time, DateTimeOffset? end) => end < time ? end.Value : time;

    private SignedEnvelope PassFor(AgentId asker, State.ShareRow share)
    {
        var lifetime = share.Audience == AudienceKind.Trusted
            ? ProtocolLimits.TrustedPassLifetime : ProtocolLimits.PassLifetime;
        var expires = NotAfter(time.GetUtcNow() + lifetime, share.Ends);
        var pass = new SharePass(asker, share.Audience, expires, self.Id, share.InfoHash);
        return SignedEnvelope.Sign(self.SigningKey, SharePass.SignatureType, pass.Encode());
    }

    /// <summary>Throws Unauthenticated unless the bearer is an unexpired grant of ours for that share.</summary>
    public Grant Accept(Hash256 infoHash, string? authorization)
    {
        const string scheme = "Virga ";
        if (authorization is null || !authorization.StartsWith(scheme, StringComparison.Ordinal))
            throw new VirgaException(FailureKind.Unauthenticated, "this needs a grant", "Ask for one first.");
        var bearer = authorization[scheme.Length..];
        var grant = accepted.TryGetValue(bearer, out var known) ? known : Verify(bearer);
        if (grant.Share != infoHash)
            throw new VirgaException(FailureKind.Unauthenticated, "the grant is for another share");
        if (grant.Expires < time.GetUtcNow())
            throw new VirgaException(FailureKind.Unauthenticated, "the grant has expired", "Ask for a new one.");
        return grant;
    }

    private static VirgaException NoSuchShare(Hash256 infoHash) => new(
        FailureKind.NotFound, $"there is no share {infoHash} here for you",
        "It may have been withdrawn, or is meant for others: ask its owner.");

    private bool HasLink(State.ShareRow share, AgentId asker, DateTimeOffset created, byte[]? proof) =>
        share.ProofKey is { } key && proof is not null
        && LinkProof.Verify(new VerifyKey(key), share.InfoHash, asker, self.Id, created, proof);

    private Grant Verify(string bearer)
    {
        Grant grant;
        SignedEnvelope envelope;
        try
        {
            envelope = SignedEnvelope.Parse(Base64Url.DecodeFromChars(bearer));
            grant = Grant.Parse(envelope.Body);
        }
        catch (Exception e) when (e is FormatException or VirgaException)
        {
            throw new VirgaException(FailureKind.Unauthenticated, "that is no grant", null, e);
        }
        if (grant.Issuer != self.Id || !envelope.Verify(self.SigningKey.PublicKey, "grant"))
            throw new VirgaException(FailureKind.Unauthenticated, "the grant is not from this agent");
        if (accepted.Count >= CacheMax) accepted.Clear();
        accepted[bearer] = grant;
        return grant;
    }
}
