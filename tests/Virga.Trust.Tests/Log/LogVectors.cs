using System.Text;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Vectors;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

/// <summary>Makes the vectors of spec/v1/log.md, from fixed seeds: the same bytes on every machine.</summary>
internal static class LogVectors
{
    public static readonly string[] Types =
    [
        "log-tile", "log-entry", "log-checkpoint", "log-promise", "log-heads", "log-breach", "log-add-checkpoint",
        EvidenceVectors.Type,
    ];

    private static readonly TestChain repository = new(41);
    private static readonly NaiveLog log = new NaiveLog(repository).Add(300);
    private static readonly string key = repository.Key.PublicKey.Bytes.ToString();

    public static IReadOnlyList<VectorFile> All() =>
    [
        .. Tiles(), .. Entries(), .. Checkpoints(), .. Promises(), .. Heads(), .. Breaches(), .. Requests(),
        .. EvidenceVectors.All(),
    ];

    private static IEnumerable<VectorFile> Tiles()
    {
        yield return Good("full", "a full tile of leaf hashes", new LogTile(0, 7, 256));
        yield return Good("large", "an index of seven digits", new LogTile(1, 1_234_067, 256));
        yield return Good("partial", "the last tile of a log of 70,000 entries", new LogTile(0, 273, 112));
        yield return Good("entries", "a bundle of entries", new LogTile(-1, 1_000, 3));
        yield return Bad("not-padded", "an index of one digit", "tile/0/7");
        yield return Bad("padded-more", "an index with more digits than it needs", "tile/0/x000/007");
        yield return Bad("full-as-partial", "a width of 256", "tile/0/007.p/256");
        yield return Bad("empty", "a width of 0", "tile/0/007.p/0");
        yield return Bad("level-64", "a level that no log has", "tile/64/000");
        yield return Bad("above", "a path that leads elsewhere", "tile/0/../000");

        static VectorFile Good(string name, string comment, LogTile tile) => VectorFile.OfText(
            "log-tile-" + name, "ok", "log-tile", comment, tile.Path, ("level", $"{tile.Level}"),
            ("index", $"{tile.Index}"), ("width", $"{tile.Width}"));

        static VectorFile Bad(string name, string comment, string path) =>
            VectorFile.OfText("log-tile-" + name, "path", "log-tile", comment, path);
    }

    private static IEnumerable<VectorFile> Entries()
    {
        var (body, signature) = repository.Envelopes[0];
        var (one, two) = (repository.Make(StatementType.Profile, StatementWriter.ProfileBody("One")),
            repository.Make(StatementType.Profile, StatementWriter.ProfileBody("Two")));
        var fraud = new FraudProof(one.Body, one.Signature, two.Body, two.Signature).Encode();
        yield return Good("genesis", "the statement that an agent begins with", LogEntry.Of(body, signature));
        yield return Good("statement", "a later statement", LogEntry.Of(one.Body, one.Signature));
        yield return Good("fraud", "a fraud proof", fraud);
        yield return Bad("empty", "nothing", []);
        yield return Bad("other", "a dictionary of something else", "d1:xi1ee"u8.ToArray());
        yield return Bad("no-statement", "an envelope of something else", LogEntry.Of([.. "de"u8], signature));
        yield return Bad("more", "a byte behind it", [.. LogEntry.Of(body, signature), 0]);

        static VectorFile Good(string name, string comment, byte[] entry) => VectorFile.OfBytes(
            "log-entry-" + name, "ok", "log-entry", comment, entry, ("leaf", LogTree.LeafHash(entry).ToString()),
            ("agent", repository.Chain.Id.ToString()));

        static VectorFile Bad(string name, string comment, byte[] entry) =>
            VectorFile.OfBytes("log-entry-" + name, "fields", "log-entry", comment, entry);
    }

    private static IEnumerable<VectorFile> Checkpoints()
    {
        var good = Encoding.UTF8.GetString(log.Checkpoint());
        var empty = Encoding.UTF8.GetString(new NaiveLog(repository).Checkpoint());
        yield return Of("good", "ok", "300 entries, signed and dated", good);
        yield return Of("empty", "ok", "a log without entries", empty);
        yield return Of("cosigned", "ok", "a cosignature of a witness beside them",
            good + Cosignature(TestChain.NewKey(44)));
        yield return Of("altered", "signature", "another size under the same signatures",
            good.Replace("\n300\n", "\n301\n"));
        yield return Of("other-key", "signature", "signed by another under the log's name", Encoding.UTF8.GetString(
            SignedCheckpoint.Sign(new Checkpoint(log.Origin, 1, Sample.Hash(1)), TestChain.NewKey(43), TestChain.Now)
                .Note.Encode()));
        yield return Of("only-dated", "signature", "only the cosignature", Without(good, 0));
        yield return Of("leading-zero", "form", "a size with a leading zero", good.Replace("\n300\n", "\n0300\n"));
        yield return Of("unsigned", "form", "no signature",
            good[..(good.IndexOf("\n\n", StringComparison.Ordinal) + 2)]);
        yield return Of("other-log", "form", "another log's origin", good.Replace("/log", "/lag"));

        VectorFile Of(string name, string expect, string comment, string note) => VectorFile.OfText(
            "log-checkpoint-" + name, expect, "log-checkpoint", comment, note, ("origin", log.Origin), ("key", key));

        static string Without(string note, int line)
        {
            var lines = note.Split('\n').ToList();
            lines.RemoveAt(lines.IndexOf("") + 1 + line);
            return string.Join('\n', lines);
        }

        static string Cosignature(Core.Keys.SigningKey witness) => LogWitness.Cosign(
            SignedCheckpoint.Open(log.Checkpoint(), LogIdentity.Of(repository.Chain)), "witness.example", witness,
            TestChain.Now.AddSeconds(9));
    }

    private static IEnumerable<VectorFile> Promises()
    {
        var note = new LogPromise(log.Origin, 7, log.Hash(7, 8), TestChain.Now).Sign(repository.Key).ToText();
        yield return Of("good", "ok", "the place of the eighth entry", note);
        yield return Of("altered", "signature", "another place under the same signature",
            note.Replace("\n7\n", "\n8\n"));
        yield return Of("checkpoint", "form", "a checkpoint", Encoding.UTF8.GetString(log.Checkpoint()));

        VectorFile Of(string name, string expect, string comment, string note) => VectorFile.OfText(
            "log-promise-" + name, expect, "log-promise", comment, note, ("origin", log.Origin), ("key", key));
    }

    private static IEnumerable<VectorFile> Heads()
    {
        var head = SignedCheckpoint.Open(log.Checkpoint(), LogIdentity.Of(repository.Chain));
        yield return Of("good", "ok", "one head", LogHeadsMessage.Encode([head]));
        yield return Of("none", "ok", "no head", LogHeadsMessage.Encode([]));
        yield return Of("empty-head", "fields", "a head of no bytes", "d5:headsl0:ee"u8.ToArray());
        yield return Of("unknown-field", "fields", "a field that is not known", "d5:headsle1:x0:e"u8.ToArray());

        static VectorFile Of(string name, string expect, string comment, byte[] message) =>
            VectorFile.OfBytes("log-heads-" + name, expect, "log-heads", comment, message);
    }

    private static IEnumerable<VectorFile> Breaches()
    {
        var fork = log.Fork(200).Add(200, "other");
        var (one, two) = (SignedNote.Parse(log.Checkpoint()), SignedNote.Parse(fork.Checkpoint()));
        var path = Resolve(fork, LogTree.ConsistencyRanges(300, 400, isWhole: true));
        var honest = Resolve(log, LogTree.ConsistencyRanges(256, 300, isWhole: true));
        var early = SignedNote.Parse(log.Checkpoint(256));
        yield return Of("fork", "ok", "two histories", LogBreachKind.Fork, one, two, path);
        yield return Of("fork-same-size", "ok", "two histories of one length", LogBreachKind.Fork, one,
            SignedNote.Parse(fork.Checkpoint(300)), []);
        yield return Of("rewind", "ok", "a later head with fewer entries", LogBreachKind.Rewind, one,
            SignedNote.Parse(log.Checkpoint(100, seconds: 1)), []);
        var promise = new LogPromise(log.Origin, 299, Sample.Hash(7), TestChain.Now).Sign(repository.Key);
        yield return Of("replaced", "ok", "another entry at a promised place", LogBreachKind.Replaced, promise, one,
            [log.Hash(299, 300), .. Resolve(log, LogTree.InclusionRanges(299, 300))]);
        yield return Of("dropped", "ok", "a later head without a promised place", LogBreachKind.Dropped, promise,
            SignedNote.Parse(log.Checkpoint(299, seconds: 1)), []);
        yield return Of("no-fork", "proof", "one history", LogBreachKind.Fork, early, one, honest);
        yield return Of("no-path", "proof", "nothing that shows the smaller root", LogBreachKind.Fork, one, two, []);
        yield return Of("other-path", "proof", "a path that leads to another root", LogBreachKind.Fork, one, two,
            honest);
        yield return Of("same-time", "proof", "two heads of one second", LogBreachKind.Rewind, one, early, []);
        yield return Of("kept", "proof", "the entry stands where it was promised", LogBreachKind.Replaced,
            new LogPromise(log.Origin, 299, log.Hash(299, 300), TestChain.Now).Sign(repository.Key), one,
            [log.Hash(299, 300), .. Resolve(log, LogTree.InclusionRanges(299, 300))]);
        var text = new LogBreach(LogBreachKind.Fork, one, two, path, repository.Envelopes).ToText();
        yield return Text("forged", "signature", "a note that was altered", text.Replace("\n300\n", "\n299\n"));
        yield return Text("unknown-kind", "form", "a kind that is not known", text.Replace("kind fork", "kind knife"));
        yield return Text("other-version", "form", "a version to come", text.Replace("@v1", "@v2"));

        static VectorFile Of(string name, string expect, string comment, LogBreachKind kind, SignedNote first,
            SignedNote second, IReadOnlyList<Hash256> path) => Text(name, expect, comment,
                new LogBreach(kind, first, second, path, repository.Envelopes).ToText());

        static VectorFile Text(string name, string expect, string comment, string text) => VectorFile.OfText(
            "log-breach-" + name, expect, "log-breach", comment, text,
            ("now", $"{TestChain.Now.ToUnixTimeSeconds()}"), ("repository", repository.Chain.Id.ToString()));
    }

    private static IEnumerable<VectorFile> Requests()
    {
        var request = new AddCheckpoint(
            256, Resolve(log, LogTree.ConsistencyRanges(256, 300)), log.Checkpoint());
        yield return Of("good", "200", "from 256 to 300 entries", request);
        yield return Of("other-size", "409", "from a size that was not cosigned last", request with { OldSize = 255 });
        yield return Of("no-proof", "422", "without a proof", request with { Proof = [] });
        yield return Of("shrunk", "400", "to fewer entries than before", request with { OldSize = 301 });
        yield return Of("other-log", "404", "of a log that is not known", request with
        {
            Note = new NaiveLog(new TestChain(42)).Add(300).Checkpoint(),
        });

        VectorFile Of(string name, string expect, string comment, AddCheckpoint request) => VectorFile.OfText(
            "log-add-checkpoint-" + name, expect, "log-add-checkpoint", comment,
            Encoding.UTF8.GetString(request.Encode()), ("origin", log.Origin), ("key", key), ("latest-size", "256"),
            ("latest-root", log.Hash(0, 256).ToString()));
    }

    private static List<Hash256> Resolve(NaiveLog log, IEnumerable<LeafRange> ranges) =>
        [.. ranges.Select(range => log.Hash(range.Start, range.End))];
}
