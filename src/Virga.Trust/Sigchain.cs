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
    /// Whether an envelope contradicts this chain: rightly signed, with a seq that is taken by another statement.
    /// Throws BadInput when it is no statement at all.
    /// </summary>
    public bool TryProveFraud(byte[] body, byte[] signature, out FraudProof proof)
    {
        proof = null!;
        var other = Statement.Parse(body, signature);
        if (other.Agent != Id || other.Seq < 1 || other.Seq >= statements.Count) return false;
        var own = statements[(int)other.Seq];
        if (own.Hash == other.Hash || !CouldSign(other)) return false;
        proof = new FraudProof(own.Bytes, own.Signature, other.Bytes, other.Signature);
        return true;
    }

    /// <summary>Whether a key that is valid just before the statement's place in this chain has signed it.</summary>
    internal bool CouldSign(Statement statement)
    {
        var before = ChainState.Genesis(statements[0]);
        for (var i = 1; i < statement.Seq && i < statements.Count; i++) before = before.Next(statements[i]);
        return before.HasSigned(statement);
    }

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
