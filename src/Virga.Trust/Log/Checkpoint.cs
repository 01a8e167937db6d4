using System.Globalization;
using Virga.Core;
using Virga.Core.Bencoding;
using Virga.Core.Keys;

namespace Virga.Trust.Log;

/// <summary>Who a log is: its origin and the keys that may sign for it (spec/v1/log.md).</summary>
/// <param name="Origin">The first line of its checkpoints, and the name of its keys.</param>
public sealed record LogIdentity(string Origin, IReadOnlyList<VerifyKey> Keys)
{
    /// <summary>The keys that sign checkpoints.</summary>
    public IReadOnlyList<NoteKey> NoteKeys { get; } =
        [.. Keys.Select(key => new NoteKey(Origin, NoteKeyType.Ed25519, key))];

    /// <summary>The keys of the log's own cosignatures, which say when a checkpoint was the newest.</summary>
    public IReadOnlyList<NoteKey> TimeKeys { get; } =
        [.. Keys.Select(key => new NoteKey(Origin, NoteKeyType.Cosignature, key))];

    /// <summary>A repository's log is named by its AgentId, which stays when its address changes.</summary>
    public static string OriginOf(AgentId repository) => $"{repository}/log";

    /// <summary>The name under which a repository witnesses the logs of others.</summary>
    public static string WitnessNameOf(AgentId repository) => $"{repository}/witness";

    /// <summary>The repository that an origin names; null for logs of other kinds.</summary>
    public static AgentId? RepositoryOf(string origin) =>
        origin.EndsWith("/log", StringComparison.Ordinal) && AgentId.TryParse(origin[..^4], out var id) ? id : null;

    /// <summary>The keys that are valid at the chain's head: for checkpoints that are new.</summary>
    public static LogIdentity Of(Sigchain repository) => new(OriginOf(repository.Id), repository.ValidSigningKeys);

    /// <summary>
    /// Every signing key that the chain ever had: for evidence, which must outlast a change of keys.
    /// </summary>
    public static LogIdentity Ever(Sigchain repository)
    {
        var keys = new List<VerifyKey>();
        foreach (var statement in repository.Statements)
        {
            if (statement.Type is not (StatementType.Genesis or StatementType.AddKey)) continue;
            var body = BencodeValue.ParseDictionary(statement.Body, BencodeLimits.Message, "statement");
            if (body.OptionalHash("sign") is { } key) keys.Add(new VerifyKey(key));
        }

        return new LogIdentity(OriginOf(repository.Id), keys);
    }
}

/// <summary>The head of a log (C2SP tlog-checkpoint): how many entries, under which root.</summary>
public sealed record Checkpoint(string Origin, long Size, Hash256 Root)
{
    private const int LinesMax = 19;

    /// <summary>Further lines, opaque; each not empty.</summary>
    public IReadOnlyList<string> Extensions { get; init; } = [];

    /// <summary>The text that is signed.</summary>
    public string ToText() =>
        $"{Origin}\n{Size.ToString(CultureInfo.InvariantCulture)}\n{SignedNote.ToText(Root)}\n"
            + string.Concat(Extensions.Select(line => line + "\n"));

    /// <exception cref="VirgaException">BadInput: it is not the text of a checkpoint.</exception>
    public static Checkpoint Parse(string text)
    {
        var lines = text.Split('\n');
        if (lines.Length is < 4 or > LinesMax || lines[^1].Length != 0 || lines[..^1].Any(line => line.Length == 0))
            throw SignedNote.Bad("the text of a checkpoint is three lines or a few more, none of them empty");
        if (!SignedNote.TryNumber(lines[1], out var size))
            throw SignedNote.Bad("the second line of a checkpoint is not the log's size");
        if (!SignedNote.TryHash(lines[2], out var root))
            throw SignedNote.Bad("the third line of a checkpoint is not a hash in base64");
        if (size == 0 && root != LogTree.EmptyRoot)
            throw SignedNote.Bad("a checkpoint of an empty log has another root than that of the empty tree");
        return new Checkpoint(lines[0], size, root) { Extensions = lines[3..^1] };
    }
}

/// <summary>A checkpoint whose log's signature holds.</summary>
/// <param name="Head">What it says.</param>
/// <param name="Note">As it came, with all signatures.</param>
/// <param name="Time">When the log itself said that it was its newest; null where it did not say so.</param>
public sealed record SignedCheckpoint(Checkpoint Head, SignedNote Note, DateTimeOffset? Time)
{
    /// <exception cref="VirgaException">
    /// BadInput: no checkpoint, or another log's; Unauthenticated: not signed by the log.
    /// </exception>
    public static SignedCheckpoint Open(ReadOnlySpan<byte> data, LogIdentity log)
    {
        var note = SignedNote.Parse(data);
        var head = Checkpoint.Parse(note.Text);
        if (head.Origin != log.Origin)
            throw SignedNote.Bad($"the checkpoint is of the log {SignedNote.Show(head.Origin)}, not {log.Origin}");
        note.Verify(log.NoteKeys);
        var timed = note.Signatures.FirstOrDefault(line => log.TimeKeys.Any(key => key.Verify(note.Text, line)));
        return new SignedCheckpoint(head, note, timed is null ? null : TimeOf(NoteKey.SecondsOf(timed)));
    }

    /// <summary>
    /// Signs the head, once as the log and once with the time, after which no smaller one may follow.
    /// </summary>
    public static SignedCheckpoint Sign(Checkpoint head, SigningKey key, DateTimeOffset time)
    {
        var text = head.ToText();
        var log = new LogIdentity(head.Origin, [key.PublicKey]);
        var note = new SignedNote(
            text, [log.NoteKeys[0].Sign(key, text, time), log.TimeKeys[0].Sign(key, text, time)]);
        return new SignedCheckpoint(head, note, TimeOf(time.ToUnixTimeSeconds()));
    }

    /// <summary>When each of the witnesses cosigned it; unknown and wrong cosignatures are left out.</summary>
    public IReadOnlyDictionary<NoteKey, DateTimeOffset> Witnesses(IEnumerable<NoteKey> known) =>
        known.Where(key => key.Type == NoteKeyType.Cosignature)
            .Select(key => (Key: key, Line: Note.Signatures.FirstOrDefault(line => key.Verify(Note.Text, line))))
            .Where(pair => pair.Line is not null)
            .ToDictionary(pair => pair.Key, pair => TimeOf(NoteKey.SecondsOf(pair.Line!)));

    internal static DateTimeOffset TimeOf(long seconds) =>
        DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(seconds, 0, Statement.LastUnixSeconds));
}

/// <summary>
/// A repository's signed word where an entry stands in its log (spec/v1/log.md): a checkpoint that says otherwise
/// proves it a liar.
/// </summary>
public sealed record LogPromise(string Origin, long Index, Hash256 Leaf, DateTimeOffset Time)
{
    private const string Word = "promise";

    /// <summary>The text that is signed.</summary>
    public string ToText() => string.Create(CultureInfo.InvariantCulture,
        $"{Origin}\n{Word}\n{Index}\n{SignedNote.ToText(Leaf)}\n{Time.ToUnixTimeSeconds()}\n");

    /// <summary>The promise as a signed note.</summary>
    public SignedNote Sign(SigningKey key)
    {
        var text = ToText();
        return new SignedNote(text, [new NoteKey(Origin, NoteKeyType.Ed25519, key.PublicKey).Sign(key, text, Time)]);
    }

    /// <exception cref="VirgaException">
    /// BadInput: no promise, or another log's; Unauthenticated: not signed by the log.
    /// </exception>
    public static LogPromise Open(ReadOnlySpan<byte> data, LogIdentity log)
    {
        var note = SignedNote.Parse(data);
        var lines = note.Text.Split('\n');
        if (lines.Length != 6 || lines[0] != log.Origin || lines[1] != Word
            || !SignedNote.TryNumber(lines[2], out var index) || !SignedNote.TryHash(lines[3], out var leaf)
            || !SignedNote.TryNumber(lines[4], out var seconds) || seconds > Statement.LastUnixSeconds)
            throw SignedNote.Bad($"it is not a promise of the log {log.Origin}");
        note.Verify(log.NoteKeys);
        return new LogPromise(log.Origin, index, leaf, SignedCheckpoint.TimeOf(seconds));
    }
}
