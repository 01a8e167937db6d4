using System.Text;
using Virga.Core;
using Virga.Core.Keys;
using Virga.Testing.Vectors;
using Virga.Trust.Log;

namespace Virga.Trust.Tests.Log;

public sealed class LogVectorTests
{
    public static TheoryData<string> Names => [.. LogVectors.All().Select(vector => vector.Name)];

    [Fact]
    public void The_committed_vectors_are_what_the_generator_makes()
    {
        var generated = LogVectors.All();
        Assert.Equal(generated.Count, generated.Select(vector => vector.Name).Distinct().Count());
        Assert.Equal(LogVectors.Types.Order(), generated.Select(vector => vector.Type).Distinct().Order());
        Assert.Empty(VectorFolder.Differences(generated, LogVectors.Types));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_is_taken_or_refused_where_it_says(string name)
    {
        var vector = VectorFile.Parse(name, File.ReadAllText(Path.Combine(VectorFile.Folder(), name + ".txt")));
        Assert.Equal(vector.Expect, Judge(vector));
    }

    private static string Judge(VectorFile vector)
    {
        try
        {
            return vector.Type switch
            {
                "log-tile" => JudgeTile(vector),
                "log-entry" => JudgeEntry(vector),
                "log-checkpoint" => JudgeCheckpoint(vector),
                "log-promise" => Same(vector.Text, LogPromise.Open(vector.Data, LogOf(vector)).ToText()),
                "log-heads" => JudgeHeads(vector),
                "log-breach" => JudgeBreach(vector),
                "log-add-checkpoint" => JudgeRequest(vector),
                EvidenceVectors.Type => EvidenceVectors.Judge(vector),
                _ => throw new InvalidDataException($"no test for type {vector.Type}"),
            };
        }
        catch (VirgaException refusal)
        {
            return refusal.Kind switch
            {
                FailureKind.Unauthenticated => "signature",
                FailureKind.BadInput when vector.Type is "log-entry" or "log-heads" => "fields",
                FailureKind.BadInput => "form",
                _ => refusal.ToString(),
            };
        }
    }

    private static string JudgeTile(VectorFile vector)
    {
        if (!LogTile.TryParse(vector.Text, out var tile)) return "path";
        Assert.Equal((vector["level"], vector["index"], vector["width"]),
            ($"{tile.Level}", $"{tile.Index}", $"{tile.Width}"));
        return "ok";
    }

    private static string JudgeEntry(VectorFile vector)
    {
        var entry = LogEntry.Parse(vector.Data);
        Assert.Equal(vector["leaf"], LogTree.LeafHash(vector.Data).ToString());
        Assert.Equal(vector["agent"], entry.Agent.ToString());
        if (!entry.IsFraud)
            Assert.Equal(vector.Data, LogEntry.Of(entry.Envelopes[0].Body, entry.Envelopes[0].Signature));
        return "ok";
    }

    private static string JudgeCheckpoint(VectorFile vector)
    {
        var signed = SignedCheckpoint.Open(vector.Data, LogOf(vector));
        Assert.Equal(TestChain.Now, signed.Time);
        return Same(vector.Text, signed.Note.ToText());
    }

    private static string JudgeHeads(VectorFile vector)
    {
        var notes = LogHeadsMessage.Parse(vector.Data);
        Assert.All(notes, note => Checkpoint.Parse(SignedNote.Parse(note).Text));
        return "ok";
    }

    private static string JudgeBreach(VectorFile vector)
    {
        var breach = LogBreach.Parse(vector.Text);
        try
        {
            var now = DateTimeOffset.FromUnixTimeSeconds(long.Parse(vector["now"]));
            Assert.Equal(vector["repository"], breach.Verify(now).ToString());
        }
        catch (VirgaException e) when (e.Kind == FailureKind.BadInput)
        {
            return "proof";
        }

        return Same(vector.Text, breach.ToText());
    }

    private static string JudgeRequest(VectorFile vector)
    {
        var request = AddCheckpoint.Parse(vector.Data);
        Assert.Equal(vector.Text, Encoding.UTF8.GetString(request.Encode()));
        var latest = new Checkpoint(
            vector["origin"], long.Parse(vector["latest-size"]), new Hash256(vector.Hex("latest-root")));
        var isKnown = Checkpoint.Parse(SignedNote.Parse(request.Note).Text).Origin == vector["origin"];
        return $"{LogWitness.Judge(request, isKnown ? LogOf(vector) : null, latest).Status}";
    }

    private static LogIdentity LogOf(VectorFile vector) =>
        new(vector["origin"], [new VerifyKey(new Hash256(vector.Hex("key")))]);

    /// <summary>A promise is read without its signature's line.</summary>
    private static string Same(string file, string text)
    {
        Assert.StartsWith(text, file, StringComparison.Ordinal);
        return "ok";
    }
}
