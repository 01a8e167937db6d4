using System.Text;
using Virga.Core;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

/// <summary>The answers of C2SP tlog-witness, one after the other.</summary>
public sealed class LogWitnessTests
{
    private readonly TestChain repository = new(3);
    private readonly NaiveLog log;
    private readonly LogIdentity identity;

    public LogWitnessTests()
    {
        log = new NaiveLog(repository).Add(300);
        identity = LogIdentity.Of(repository.Chain);
    }

    [Fact]
    public async Task A_checkpoint_that_follows_the_latest_is_cosigned_and_nothing_else()
    {
        var request = await RequestAsync(100, 300);
        Assert.Equal(200, Judge(request, At(100)).Status);
        Assert.Equal(404, LogWitness.Judge(request, null, null).Status);
        Assert.Equal(403, LogWitness.Judge(request, LogIdentity.Of(new TestChain(4).Chain) with
        {
            Origin = log.Origin,
        }, At(100)).Status);
        Assert.Equal((409, 200), Answer(request, At(200)));
        Assert.Equal((409, 0), Answer(request, null));
        Assert.Equal(400, Judge(request with { OldSize = 301 }, At(301 - 1)).Status);
        Assert.Equal(422, Judge(request with { Proof = [] }, At(100)).Status);
        Assert.Equal(422, Judge(request, At(100) with { Root = log.Hash(0, 99) }).Status);
        // From nothing, without a proof.
        Assert.Equal(200, Judge(request with { OldSize = 0, Proof = [] }, null).Status);
        Assert.Equal(422, Judge(request with { OldSize = 0 }, null).Status);
        // The same head again.
        var same = request with { OldSize = 300, Proof = [] };
        Assert.Equal(200, Judge(same, At(300)).Status);
        Assert.Equal(422, Judge(same with { Proof = request.Proof }, At(300)).Status);
        Assert.Equal((409, 300), Answer(same, At(300) with { Root = log.Hash(0, 299) }));

        (int, int) Answer(AddCheckpoint request, Checkpoint? latest) =>
            LogWitness.Judge(request, identity, latest) is var answer ? (answer.Status, (int)answer.Size) : default;
    }

    [Fact]
    public async Task A_cosignature_is_taken_over_only_from_known_witnesses()
    {
        var witness = new TestChain(9);
        var name = LogIdentity.WitnessNameOf(witness.Chain.Id);
        var key = new NoteKey(name, NoteKeyType.Cosignature, witness.Key.PublicKey);
        var accepted = Judge(await RequestAsync(100, 300), At(100)).Accepted!;
        var line = LogWitness.Cosign(accepted, name, witness.Key, TestChain.Now.AddSeconds(7));
        var stranger = LogWitness.Cosign(accepted, name, repository.Key, TestChain.Now);
        var note = LogWitness.Add(accepted.Note, Encoding.UTF8.GetBytes(stranger + line), [key]);
        Assert.Equal(accepted.Note.Signatures.Count + 1, note.Signatures.Count);
        var opened = SignedCheckpoint.Open(note.Encode(), identity);
        Assert.Equal(TestChain.Now.AddSeconds(7), Assert.Single(opened.Witnesses([key])).Value);
        Assert.Empty(opened.Witnesses([key with { Name = "other" }]));
        foreach (var bad in new[] { "", "nothing\n", line[..^2], "— x\n" })
            Assert.Throws<VirgaException>(() => LogWitness.Add(note, Encoding.UTF8.GetBytes(bad), [key]));
    }

    [Fact]
    public async Task A_request_is_read_as_it_was_written_and_others_are_refused()
    {
        var request = await RequestAsync(100, 300);
        var body = Encoding.UTF8.GetString(request.Encode());
        var read = AddCheckpoint.Parse(request.Encode());
        Assert.Equal(request.OldSize, read.OldSize);
        Assert.Equal(request.Note, read.Note);
        Assert.Equal(request.Proof, read.Proof);
        foreach (var bad in new[]
        {
            "", "old 1\n", "old\n\n" + body, "old 01\n\n", "old -1\n\n", "new 1\n\n",
            body.Replace("old 100", "old 1e2"),
            body.Replace("old 100\n", "old 100\nAAAA\n"),
            "old 1\n" + string.Concat(Enumerable.Repeat(Convert.ToBase64String(new byte[32]) + "\n", 64)) + "\n",
        })
        {
            Assert.Equal(FailureKind.BadInput,
                Assert.Throws<VirgaException>(() => AddCheckpoint.Parse(Encoding.UTF8.GetBytes(bad))).Kind);
        }

        Assert.Throws<VirgaException>(() => AddCheckpoint.Parse(new byte[AddCheckpoint.BytesMax + 1]));
    }

    private Checkpoint At(long size) => new(log.Origin, size, log.Hash(0, size));

    private WitnessAnswer Judge(AddCheckpoint request, Checkpoint? latest) =>
        LogWitness.Judge(request, identity, latest);

    private async Task<AddCheckpoint> RequestAsync(long old, long size) => new(
        old, await new LogReader(log.FetchAsync, size).ConsistencyAsync(old, false, CancellationToken.None),
        log.Checkpoint(size));
}
