using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Age;
using Virga.Core.Bencoding;
using Virga.Core.Keys;
using Virga.Protocol;
using Virga.Storage;
using Virga.Trust;

namespace Virga.Hosting;

/// <summary>
/// A peer's own keys and sigchain, in its data folder: <c>virga.key</c> (the key that seals the others),
/// <c>identity.sealed</c>,
/// <c>next-key.sealed</c> (replaces the signing key one day: to be kept elsewhere) and <c>chain</c>.
/// Thread-safe. Hold the <see cref="DataFolder"/> while it is in use.
/// </summary>
public sealed class PeerKeys : IDisposable
{
    /// <summary>The file of the key that seals the others.</summary>
    public const string KeyName = "virga.key";

    private const string IdentityName = "identity.sealed";
    private const string NextName = "next-key.sealed";
    private const string ChainName = "chain";
    private const int ChainBytesMax = 64 << 20;

    private readonly string chainPath;
    private readonly TimeProvider time;
    private readonly SemaphoreSlim appending = new(1, 1);
    private volatile OwnChain own;

    private PeerKeys(PeerIdentity identity, DataKey dataKey, string chainPath, TimeProvider time, OwnChain own)
    {
        Identity = identity;
        DataKey = dataKey;
        this.chainPath = chainPath;
        this.time = time;
        this.own = own;
    }

    public AgentId Id => Identity.Id;

    public PeerIdentity Identity { get; }

    /// <summary>Seals what else the peer keeps in its data folder.</summary>
    public DataKey DataKey { get; }

    public Sigchain Chain => own.Chain;

    /// <summary>The chain as others get it, from the genesis on.</summary>
    public IReadOnlyList<SignedEnvelope> Envelopes => own.Envelopes;

    /// <summary>Opens the peer's identity, or makes one in a folder that has none.</summary>
    /// <exception cref="VirgaException">
    /// NotFound (a part is missing; nothing is replaced), Corrupt, Denied, Full; ClockSkew or BadInput where the chain
    /// was made by a clock that was far ahead.
    /// </exception>
    /// <param name="secrets">Opens the key that seals the others, where it is locked.</param>
    public static PeerKeys LoadOrCreate(
        string dataFolder, TimeProvider time, RandomBytes random, KeySecrets? secrets = null)
    {
        string PathOf(string name) => Path.Combine(dataFolder, name);
        var isNew = !File.Exists(PathOf(IdentityName));
        if (isNew && File.Exists(PathOf(ChainName)))
        {
            throw new VirgaException(FailureKind.NotFound,
                $"{PathOf(IdentityName)} is missing, though the identity's chain is there",
                "Restore the data folder from a backup, or name another folder for a new identity.");
        }

        var dataKey = DataKey.Load(PathOf(KeyName), mayCreate: isNew, random, secrets);
        try
        {
            if (isNew) Create(PathOf, dataKey, time, random);
            return Load(PathOf, dataKey, time);
        }
        catch
        {
            dataKey.Dispose();
            throw;
        }
    }

    /// <summary>Makes, signs, checks and durably keeps the chain's next statement; returns it for publishing.</summary>
    /// <param name="body">A bencoded dictionary.</param>
    public async Task<SignedEnvelope> AppendStatementAsync(string type, ReadOnlyMemory<byte> body,
        CancellationToken cancellationToken)
    {
        await appending.WaitAsync(cancellationToken);
        try
        {
            return Append(type, body.Span);
        }
        finally
        {
            appending.Release();
        }
    }

    /// <summary>
    /// States where the peer is reached, unless the chain says so already. Returns the new statement or null.
    /// </summary>
    public async Task<SignedEnvelope?> StateEndpointsAsync(IReadOnlyList<Endpoint> endpoints,
        CancellationToken cancellationToken)
    {
        var stated = endpoints.Select(endpoint => new ChainEndpoint(endpoint.Url, endpoint.Certificate)).ToList();
        await appending.WaitAsync(cancellationToken);
        try
        {
            return own.Chain.Endpoints.SequenceEqual(stated) ? null
                : Append(StatementType.Endpoint, StatementWriter.EndpointBody(stated));
        }
        finally
        {
            appending.Release();
        }
    }

    /// <summary>
    /// Takes over what this agent said itself and no longer knows, since its folder was restored from a backup.
    /// </summary>
    /// <param name="published">The chain as others hold it.</param>
    /// <returns>Whether anything was missing.</returns>
    /// <exception cref="VirgaException">
    /// Conflict: it is another chain, or went another way; Denied: its keys were replaced since.
    /// </exception>
    public async Task<bool> CatchUpAsync(
        IReadOnlyList<SignedEnvelope> published, CancellationToken cancellationToken)
    {
        await appending.WaitAsync(cancellationToken);
        try
        {
            for (var i = 0; i < Math.Min(published.Count, own.Envelopes.Count); i++)
            {
                if (published[i].Body.AsSpan().SequenceEqual(own.Envelopes[i].Body)) continue;
                throw new VirgaException(
                    FailureKind.Conflict,
                    $"statement {i} of this agent's sigchain is published otherwise than it is here",
                    "Another agent runs, or ran, with the same key. Stop it; see `virga trust logs`.");
            }
            if (published.Count <= own.Envelopes.Count) return false;
            var chain = Sigchain.Check(published.Select(e => (e.Body, e.Signature)), time.GetUtcNow());
            if (!chain.ValidSigningKeys.Contains(Identity.SigningKey.PublicKey))
            {
                throw new VirgaException(
                    FailureKind.Denied, "the agent's key was replaced after the backup was made",
                    "Restore a backup that was made after that.");
            }
            DurableFile.Write(chainPath, SignedEnvelope.EncodeList(published));
            own = new OwnChain(chain, published);
            return true;
        }
        finally
        {
            appending.Release();
        }
    }

    public void Dispose()
    {
        Identity.SigningKey.Dispose();
        DataKey.Dispose();
        appending.Dispose();
    }

    private SignedEnvelope Append(string type, ReadOnlySpan<byte> body)
    {
        var now = time.GetUtcNow();
        var statement = StatementWriter.Next(own.Chain, type, body, now);
        var envelope = SignedEnvelope.Sign(Identity.SigningKey, Statement.SignatureType, statement);
        var next = new OwnChain(own.Chain.Append(envelope.Body, envelope.Signature, now), [.. own.Envelopes, envelope]);
        DurableFile.Write(chainPath, SignedEnvelope.EncodeList(next.Envelopes));
        own = next;
        return envelope;
    }

    private static void Create(Func<string, string> pathOf, DataKey dataKey, TimeProvider time, RandomBytes random)
    {
        Span<byte> sign = stackalloc byte[SigningKey.SeedBytes];
        Span<byte> seal = stackalloc byte[X25519.KeyBytes];
        Span<byte> next = stackalloc byte[SigningKey.SeedBytes];
        random(sign);
        random(seal);
        random(next);
        try
        {
            using var signingKey = SigningKey.FromSeed(sign);
            using var nextKey = SigningKey.FromSeed(next);
            var nextHash = new Hash256(SHA256.HashData(nextKey.PublicKey.Bytes.ToArray()));
            var genesis = StatementWriter.Genesis(signingKey.PublicKey, new AgeIdentity(seal).Recipient.PublicKey,
                nextHash, time.GetUtcNow());
            var envelope = SignedEnvelope.Sign(signingKey, Statement.SignatureType, genesis);
            // The identity comes last but one: with it the folder has an identity, and the chain can be made from it
            // again.
            SealedFile.Write(pathOf(NextName), dataKey, next, random);
            SealedFile.Write(pathOf(IdentityName), dataKey, EncodeIdentity(envelope.Encode(), seal, sign), random);
            DurableFile.Write(pathOf(ChainName), SignedEnvelope.EncodeList([envelope]));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(sign);
            CryptographicOperations.ZeroMemory(seal);
            CryptographicOperations.ZeroMemory(next);
        }
    }

    private static byte[] EncodeIdentity(byte[] genesis, ReadOnlySpan<byte> seal, ReadOnlySpan<byte> sign)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(256);
        new BencodeWriter(buffer).StartDictionary()
            .Key("genesis").Bytes(genesis).Key("seal").Bytes(seal).Key("sign").Bytes(sign).End();
        return buffer.WrittenSpan.ToArray();
    }

    private static PeerKeys Load(Func<string, string> pathOf, DataKey dataKey, TimeProvider time)
    {
        var content = SealedFile.Read(pathOf(IdentityName), dataKey);
        var fields = BencodeValue.ParseDictionary(content.Span, BencodeLimits.Message, "identity");
        var genesis = SignedEnvelope.Parse(fields.Bytes("genesis"));
        var signingKey = SigningKey.FromSeed(fields.Bytes("sign", SigningKey.SeedBytes, SigningKey.SeedBytes));
        var sealIdentity = new AgeIdentity(fields.Bytes("seal", X25519.KeyBytes, X25519.KeyBytes));
        CryptographicOperations.ZeroMemory(content.Span);
        try
        {
            if (!File.Exists(pathOf(ChainName)))
                DurableFile.Write(pathOf(ChainName), SignedEnvelope.EncodeList([genesis]));
            var envelopes = ReadChain(pathOf(ChainName));
            var chain =
                Sigchain.Check(envelopes.Select(envelope => (envelope.Body, envelope.Signature)), time.GetUtcNow());
            var id = new AgentId(new Hash256(SHA256.HashData(genesis.Body)));
            if (chain.Id != id) throw Damaged(pathOf(ChainName), "it belongs to another identity", null);
            var identity = new PeerIdentity(id, signingKey, sealIdentity);
            return new PeerKeys(identity, dataKey, pathOf(ChainName), time, new OwnChain(chain, envelopes));
        }
        catch
        {
            signingKey.Dispose();
            throw;
        }
    }

    private static List<SignedEnvelope> ReadChain(string path)
    {
        var limits = new BencodeLimits(ChainBytesMax, 2, 5 * 65_537);
        try
        {
            if (new FileInfo(path).Length > ChainBytesMax) throw Damaged(path, "it is too large", null);
            var list = BencodeValue.Parse(File.ReadAllBytes(path), limits).AsList();
            return [.. list.Items().Select(item => SignedEnvelope.Read(item.AsDictionary()))];
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            throw Damaged(path, e.Message, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VirgaException(FailureKind.Denied, $"can't read {path}: {e.Message}",
                "Make it belong to the user that runs virga.", e);
        }
    }

    private static VirgaException Damaged(string path, string how, Exception? inner) =>
        new(FailureKind.Corrupt, $"{path} can't be used: {how}", "Restore it from a backup.", inner);

    private sealed record OwnChain(Sigchain Chain, IReadOnlyList<SignedEnvelope> Envelopes);
}
