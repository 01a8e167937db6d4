using System.Text;
using Virga.Core;
using Virga.Testing;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

public sealed class SignedNoteTests
{
    /// <summary>From the documentation of golang.org/x/mod/sumdb/note.</summary>
    private const string GoKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    private const string GoNote =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        + "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJ"
        + "nAM=\n";

    private static readonly TestChain repository = new(7);
    private static readonly LogIdentity log = LogIdentity.Of(repository.Chain);

    [Fact]
    public void A_note_that_another_program_signed_holds()
    {
        var key = NoteKey.Parse(GoKey);
        Assert.Equal(0xc74f20a3u, key.Id);
        Assert.Equal(GoKey, key.ToText());
        var note = SignedNote.Parse(Encoding.UTF8.GetBytes(GoNote));
        Assert.Single(note.Verify(key));
        Assert.Equal(GoNote, note.ToText());
        var altered = SignedNote.Parse(Encoding.UTF8.GetBytes(GoNote.Replace("answer", "bnswer")));
        Assert.Equal(FailureKind.Unauthenticated, Assert.Throws<VirgaException>(() => altered.Verify(key)).Kind);
    }

    [Fact]
    public void The_example_of_the_text_is_read_as_it_stands()
    {
        const string text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        var note = SignedNote.Parse(Encoding.UTF8.GetBytes(text + "\n— example.com/behind-the-sofa Az3grlgtzPICa5"
            + "OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"));
        var head = Checkpoint.Parse(note.Text);
        Assert.Equal(("example.com/behind-the-sofa", 20852163L, text), (head.Origin, head.Size, head.ToText()));
        Assert.Equal((0x033de0ae, 64), ((int)note.Signatures[0].KeyId, note.Signatures[0].Bytes.Length));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("text\n")]
    [InlineData("text\n\n")]
    [InlineData("text\n\n— name AAAAAAA=")]
    [InlineData("text\n\n- name AAAAAAAA\n")]
    [InlineData("text\n\n— na+me AAAAAAAA\n")]
    [InlineData("text\n\n— name AAAAAAA\n")]
    [InlineData("text\n\n— name AAAAAA==\n")]
    [InlineData("text\n\n—  AAAAAAAA\n")]
    [InlineData("text\n\n— name AAAA AAAA\n")]
    [InlineData("te\txt\n\n— name AAAAAAAA\n")]
    [InlineData("te\rxt\n\n— name AAAAAAAA\n")]
    public void What_is_no_note_is_refused(string note) => Assert.Equal(FailureKind.BadInput,
        Assert.Throws<VirgaException>(() => SignedNote.Parse(Encoding.UTF8.GetBytes(note))).Kind);

    [Fact]
    public void Bounds_hold_for_bytes_that_are_no_text_too()
    {
        Refused(new byte[SignedNote.BytesMax + 1]);
        Refused([0xff, (byte)'\n', (byte)'\n']);
        Refused(Encoding.UTF8.GetBytes("t\n\n" + string.Concat(Enumerable.Repeat("— n AAAAAAAA\n", 65))));
        var many = Encoding.UTF8.GetBytes("t\n\n" + string.Concat(Enumerable.Repeat("— n AAAAAAAA\n", 64)));
        Assert.Equal(64, SignedNote.Parse(many).Signatures.Count);

        static void Refused(byte[] note) => Assert.Throws<VirgaException>(() => SignedNote.Parse(note));
    }

    [Theory]
    [InlineData("o\n1\n")]
    [InlineData("o\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n+1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2\n")]
    [InlineData("o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\nx\n")]
    [InlineData("o\n99999999999999999999\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    [InlineData("o\n0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")]
    public void What_is_no_checkpoint_is_refused(string text) => Assert.Equal(FailureKind.BadInput,
        Assert.Throws<VirgaException>(() => Checkpoint.Parse(text)).Kind);

    [Fact]
    public void A_checkpoint_holds_only_with_the_logs_own_signature()
    {
        var head = new Checkpoint(log.Origin, 3, Sample.Hash(1)) { Extensions = ["more", "lines"] };
        var signed = SignedCheckpoint.Sign(head, repository.Key, TestChain.Now);
        var opened = SignedCheckpoint.Open(signed.Note.Encode(), log);
        Assert.Equal(head.ToText(), opened.Head.ToText());
        Assert.Equal(TestChain.Now, opened.Time);

        var other = new TestChain(8);
        Assert.Equal(FailureKind.BadInput, Fails(signed.Note, LogIdentity.Of(other.Chain)));
        var forged = SignedCheckpoint.Sign(head, other.Key, TestChain.Now).Note;
        Assert.Equal(FailureKind.Unauthenticated, Fails(forged, log));
        // The right lines under another text.
        var moved = new SignedNote((head with { Size = 4 }).ToText(), signed.Note.Signatures);
        Assert.Equal(FailureKind.Unauthenticated, Fails(moved, log));
        // A cosignature alone is not the log's signature.
        Assert.Equal(FailureKind.Unauthenticated,
            Fails(new SignedNote(signed.Note.Text, [signed.Note.Signatures[1]]), log));
        // Signatures of others beside it mean nothing.
        Assert.Equal(3, SignedCheckpoint.Open(
            signed.Note.With(forged.Signatures[0] with { Name = "somebody" }).Encode(), log).Note.Signatures.Count);

        static FailureKind Fails(SignedNote note, LogIdentity log) =>
            Assert.Throws<VirgaException>(() => SignedCheckpoint.Open(note.Encode(), log)).Kind;
    }

    [Fact]
    public void A_cosignature_is_bound_to_its_time()
    {
        var signed = SignedCheckpoint.Sign(
            new Checkpoint(log.Origin, 3, Sample.Hash(1)), repository.Key, TestChain.Now);
        var line = signed.Note.Signatures[1];
        var later = (byte[])line.Bytes.Clone();
        later[7]++;
        Assert.True(log.TimeKeys[0].Verify(signed.Note.Text, line));
        Assert.False(log.TimeKeys[0].Verify(signed.Note.Text, line with { Bytes = later }));
        Assert.False(log.TimeKeys[0].Verify(signed.Note.Text, line with { Bytes = later[..71] }));
        var altered = new SignedNote(signed.Note.Text, [signed.Note.Signatures[0], line with { Bytes = later }]);
        Assert.Null(SignedCheckpoint.Open(altered.Encode(), log).Time);
    }

    [Fact]
    public void A_promise_is_no_checkpoint_and_a_checkpoint_no_promise()
    {
        var promise = new LogPromise(log.Origin, 5, Sample.Hash(2), TestChain.Now);
        var note = promise.Sign(repository.Key).Encode();
        Assert.Equal(promise, LogPromise.Open(note, log));
        Assert.Throws<VirgaException>(() => SignedCheckpoint.Open(note, log));
        var head = SignedCheckpoint.Sign(new Checkpoint(log.Origin, 3, Sample.Hash(1)), repository.Key, TestChain.Now);
        Assert.Throws<VirgaException>(() => LogPromise.Open(head.Note.Encode(), log));
    }

    [Fact]
    public void An_entry_is_a_statement_or_a_proof_and_nothing_else()
    {
        var (body, signature) = repository.Envelopes[0];
        var entry = LogEntry.Parse(LogEntry.Of(body, signature));
        Assert.Equal(repository.Chain.Id, entry.Agent);
        Assert.False(entry.IsFraud);

        var (one, two) = (repository.Make(StatementType.Profile, StatementWriter.ProfileBody("One")),
            repository.Make(StatementType.Profile, StatementWriter.ProfileBody("Two")));
        var fraud = LogEntry.Parse(new FraudProof(one.Body, one.Signature, two.Body, two.Signature).Encode());
        Assert.Equal((repository.Chain.Id, true), (fraud.Agent, fraud.IsFraud));

        Refused("de"u8.ToArray());
        Refused(LogEntry.Of([.. "nothing"u8], signature));
        Refused(LogEntry.Of(body, signature[..63]));
        Refused(LogEntry.Of(new byte[20_000], signature));
        Refused([.. Enumerable.Repeat((byte)'l', 60_000)]);
        Refused(new byte[10 << 20]);

        static void Refused(byte[] entry) =>
            Assert.Equal(FailureKind.BadInput, Assert.Throws<VirgaException>(() => LogEntry.Parse(entry)).Kind);
    }
}
