using System.Collections.Immutable;
using System.Security.Cryptography;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Trust;

/// <summary>
/// A checked sigchain (spec/v1/sigchain.md): immutable; appending gives a new one or refuses with the reason. What it
/// says at its head: the keys that sign, the key to seal to, endpoints, profile.
/// </summary>
public sealed class Sigchain
{
    public const int MaxStatements = 65_536;

    private readonly ImmutableList<Statement> statements;
    private readonly ChainState state;

    private Sigchain(ImmutableList<Statement> statements, ChainState state)
    {
        this.statements = statements;
        this.state = state;
        Id = new AgentId(statements[0].Hash);
    }

    public AgentId Id { get; }

    public IReadOnlyList<Statement> Statements => statements;

    public Statement Head => statements[^1];

    /// <summary>The newest signing key, which new statements and requests use.</summary>
    public VerifyKey SigningKey => state.SigningKeys[^1];

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<VerifyKey> ValidSigningKeys => state.SigningKeys;

    /// <summary>X25519 public key to seal to.</summary>
    public Hash256 SealKey => state.SealKeys[^1];

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<Hash256> ValidSealKeys => state.SealKeys;

    /// <summary>SHA-256 of the signing key that can replace the others without their help.</summary>
    public Hash256 NextKeyHash => state.NextKeyHash;

    public string? ProfileName => state.ProfileName;

    /// <summary>Where the agent says it is reached; replaced whole by each endpoint statement.</summary>
    public IReadOnlyList<ChainEndpoint> Endpoints => state.Endpoints;

    /// <summary>Checks a chain from its genesis. Each item is the envelope's signed body and its signature.</summary>
    public static Sigchain Check(IEnumerable<(byte[] Body, byte[] Signature)> envelopes, DateTimeOffset now)
    {
        var chain = CheckPrefix(envelopes, now, out var refusal);
        return refusal is null ? chain ?? throw Statement.Bad("sigchain: it is empty") : throw refusal;
    }

    /// <summary>
    /// The longest good beginning of a chain, null when not even the genesis is good, and why the rest was refused.
    /// </summary>
    public static Sigchain? CheckPrefix(
        IEnumerable<(byte[] Body, byte[] Signature)> envelopes, DateTimeOffset now, out VirgaException? refusal)
    {
        refusal = null;
        ChainState? reached = null;
        var good = ImmutableList.CreateBuilder<Statement>();
        try
        {
            foreach (var (body, signature) in envelopes)
            {
                var (statement, next) =
                    Step(reached, good.Count == 0 ? null : good[^1], good.Count, body, signature, now);
                if (reached is not null) RequireAgent(statement, good[0]);
                good.Add(statement);
                reached = next;
            }
        }
        catch (VirgaException bad)
        {
            refusal = bad;
        }
        return reached is null ? null : new Sigchain(good.ToImmutable(), reached);
    }

    /// <summary>
    /// BadInput names the rule that the statement breaks; Unauthenticated when its signature is not by a valid key.
    /// </summary>
    public Sigchain Append(byte[] body, byte[] signature, DateTimeOffset now)
    {
        var (statement, next) = Step(state, Head, statements.Count, body, signature, now);
        RequireAgent(statement, statements[0]);
        return new Sigchain(statements.Add(statement), next);
    }

    /// <summary>
    /// Takes in statements of this agent that came from elsewhere: consecutive, from any number on. They may go on
    /// where this chain ends, or tell another history from some number on. Of two histories the one with the rotation
    /// to the committed key stands; without one, or with one in each, they are fraud. The result does not depend on
    /// which history was there first, fraud apart, which says the same of either. Throws like <see cref="Append"/>, and
    /// BadInput when the statements begin behind this chain's end.
    /// </summary>
    public ChainMerge Merge(IReadOnlyList<(byte[] Body, byte[] Signature)> others, DateTimeOffset now)
    {
        var at = 0;
        long first = 0;
        for (; at < others.Count; at++)
        {
            var other = Statement.Parse(others[at].Body, others[at].Signature);
            if (at == 0) first = other.Seq;
            if (other.Seq != first + at) throw Statement.Bad($"sigchain: statement {other.Seq} is out of its place");
            if (other.Seq > statements.Count)
                throw Statement.Bad($"sigchain: statements {statements.Count} to {other.Seq - 1} are missing");
            if (other.Seq == statements.Count || statements[(int)other.Seq].Hash != other.Hash) break;
        }
        if (at == others.Count) return new ChainMerge(ChainMergeKind.Known, this, null);
        var fork = (int)(first + at);
        if (fork == 0) throw Statement.Bad("sigchain: the genesis is of another agent");
        var branch = fork == statements.Count ? this : Prefix(fork);
        foreach (var (body, signature) in others.Skip(at)) branch = branch.Append(body, signature, now);
        if (fork == statements.Count) return new ChainMerge(ChainMergeKind.Extended, branch, null);

        var (mine, theirs) = (RotationFrom(fork), branch.RotationFrom(fork));
        if (mine is null && theirs is not null) return new ChainMerge(ChainMergeKind.Settled, branch, null);
        if (mine is not null && theirs is null) return new ChainMerge(ChainMergeKind.Superseded, this, null);
        var proof = Proof(mine ?? statements[fork], theirs ?? branch.statements[fork]);
        return new ChainMerge(ChainMergeKind.Fraud, this, proof);
    }

    /// <summary>
    /// Whether an envelope proves fraud against this chain: rightly signed, and not to be had together with it. What a
    /// rotation supersedes proves nothing, nor does the rotation that supersedes (see <see cref="Merge"/>).
    /// Throws BadInput when it is no statement at all.
    /// </summary>
    public bool TryProveFraud(byte[] body, byte[] signature, out FraudProof proof)
    {
        proof = null!;
        var other = Statement.Parse(body, signature);
        if (other.Agent != Id || other.Seq < 1 || other.Seq >= statements.Count) return false;
        var own = statements[(int)other.Seq];
        if (own.Hash == other.Hash) return false;
        var before = StateBefore(other.Seq);
        if (!before.HasSigned(other)) return false;
        var rotation = RotationFrom((int)other.Seq);
        if (before.IsRotation(other) != rotation is not null) return false;
        proof = Proof(rotation ?? own, other);
        return true;
    }

    /// <summary>The number of the first rotation at or after a number; null when there is none.</summary>
    internal long? FirstRotation(long seq)
    {
        foreach (var rotation in state.Rotations)
            if (rotation >= seq) return rotation;
        return null;
    }

    /// <summary>What the chain said just before a number, or at its end.</summary>
    internal ChainState StateBefore(long seq)
    {
        var before = ChainState.Genesis(statements[0]);
        for (var i = 1; i < seq && i < statements.Count; i++) before = before.Next(statements[i]);
        return before;
    }

    /// <summary>Whether the chain ever committed to this key.</summary>
    internal bool HasCommittedTo(Hash256 key)
    {
        var hash = new Hash256(SHA256.HashData(key.ToArray()));
        if (hash == StateBefore(1).NextKeyHash) return true;
        foreach (var rotation in state.Rotations)
            if (statements[(int)rotation].Fields("next", "seal", "sign").Hash("next") == hash) return true;
        return false;
    }

    private Statement? RotationFrom(int seq) => FirstRotation(seq) is { } at ? statements[(int)at] : null;

    private Sigchain Prefix(int count) => new(statements.GetRange(0, count), StateBefore(count));

    private static FraudProof Proof(Statement a, Statement b) => new(a.Bytes, a.Signature, b.Bytes, b.Signature);

    private static (Statement Statement, ChainState State) Step(
        ChainState? state, Statement? head, int seq, byte[] body, byte[] signature, DateTimeOffset now)
    {
        if (seq >= MaxStatements) throw Statement.Bad($"sigchain: more than {MaxStatements} statements");
        var statement = Statement.Parse(body, signature);
        if (statement.Seq != seq) throw Statement.Bad($"sigchain: statement {seq} says it is number {statement.Seq}");
        if (statement.Time - now > Statement.ClockDifference)
        {
            throw new VirgaException(FailureKind.ClockSkew,
                $"sigchain: statement {seq} is from {Show(statement.Time)}, but it is {Show(now)} here",
                "Set the clock that is wrong, then try again.");
        }
        if (state is null || head is null)
        {
            var genesis = ChainState.Genesis(statement);
            return genesis.HasSigned(statement) ? (statement, genesis) : throw Forged(seq);
        }
        if (statement.Previous != head.Hash)
            throw Statement.Bad(
                $"sigchain: statement {seq} does not follow the one before: its prev is another's hash");
        if (statement.Time < head.Time) throw Statement.Bad($"sigchain: time goes back at statement {seq}");
        if (!state.HasSigned(statement)) throw Forged(seq);
        return (statement, state.Next(statement));
    }

    private static void RequireAgent(Statement statement, Statement genesis)
    {
        if (statement.Agent?.Hash != genesis.Hash)
            throw Statement.Bad($"sigchain: statement {statement.Seq} is of another agent");
    }

    private static string Show(DateTimeOffset time) => $"{time.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC";

    private static VirgaException Forged(long seq) =>
        new(FailureKind.Unauthenticated, $"sigchain: statement {seq} is not signed by a key that is valid there",
            "Don't trust where it came from; fetch the chain from somewhere else.");
}
