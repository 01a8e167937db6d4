namespace Virga.Agent.Control;

/// <summary>A repository that is configured or trusted, and how its log is.</summary>
/// <param name="Endpoint">In the form of a link's r parameter.</param>
/// <param name="Agent">Its AgentId; null while nobody answered there yet.</param>
/// <param name="Name">What the user calls it.</param>
/// <param name="IsTrusted">Used because it is admitted in the scope repository, not because it is configured.</param>
/// <param name="Entries">Of the newest head that was accepted; null for none yet.</param>
/// <param name="HeadTime">Of what time that head is.</param>
/// <param name="Witnesses">Other repositories that have cosigned it.</param>
/// <param name="SeenAt">When it last showed a head that nothing speaks against, since the agent started.</param>
/// <param name="State">fine, waiting (not looked at yet), troubled, liar or refused.</param>
/// <param name="Breach">Of a liar: fork, rewind, replaced or dropped.</param>
/// <param name="Problem">One plain sentence, where it is not fine.</param>
/// <param name="Since">When that began.</param>
public sealed record LogInfo(
    string Endpoint, string? Agent, string? Name, bool IsTrusted, long? Entries, DateTimeOffset? HeadTime,
    int Witnesses, DateTimeOffset? SeenAt, string State, string? Breach, string? Problem, DateTimeOffset? Since);

/// <summary>A proof that this agent holds.</summary>
/// <param name="Number">From 1 on.</param>
/// <param name="Id">SHA-256 of the proof, 64 hex digits.</param>
/// <param name="Agent">Whom it proves a fraud or a liar.</param>
/// <param name="Kind">two-histories, or fork, rewind, replaced or dropped of a repository's log.</param>
/// <param name="IsSettled">A rotation has settled it, so that it counts no more.</param>
/// <param name="Proof">The proof itself, base64; only where one was asked for.</param>
public sealed record EvidenceInfo(
    int Number, string Id, string Agent, string? Name, string Kind, bool IsSettled, int Bytes, string? Proof = null);

/// <param name="Proof">Base64 of a proof, as spec/v1/trust.md says.</param>
public sealed record EvidenceBytes(string Proof);
