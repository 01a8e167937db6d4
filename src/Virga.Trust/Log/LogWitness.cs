using System.Globalization;
using System.Text;
using Virga.Core;
using Virga.Core.Keys;

namespace Virga.Trust.Log;

/// <summary>The body of <c>add-checkpoint</c> (C2SP tlog-witness).</summary>
/// <param name="OldSize">Of the checkpoint that the witness cosigned last.</param>
/// <param name="Proof">Consistency from there to the checkpoint; empty from size 0.</param>
/// <param name="Note">The checkpoint.</param>
public sealed record AddCheckpoint(long OldSize, IReadOnlyList<Hash256> Proof, byte[] Note)
{
    /// <summary>Bound of the body.</summary>
    public const int BytesMax = SignedNote.BytesMax + 4_096;

    /// <summary>Hashes of a proof.</summary>
    public const int ProofMax = 63;

    /// <summary>The body as it is sent.</summary>
    public byte[] Encode()
    {
        var lines = new StringBuilder("old ").Append(OldSize.ToString(CultureInfo.InvariantCulture)).Append('\n');
        foreach (var hash in Proof) lines.Append(SignedNote.ToText(hash)).Append('\n');
        return [.. Encoding.ASCII.GetBytes(lines.Append('\n').ToString()), .. Note];
    }

    /// <exception cref="VirgaException">BadInput.</exception>
    public static AddCheckpoint Parse(ReadOnlySpan<byte> body)
    {
        if (body.Length > BytesMax) throw SignedNote.Bad($"the request is longer than {BytesMax} bytes");
        var split = body.IndexOf("\n\n"u8);
        if (split < 0) throw SignedNote.Bad("the request is not an old size, a proof, an empty line and a checkpoint");
        var lines = Encoding.ASCII.GetString(body[..split]).Split('\n');
        if (!lines[0].StartsWith("old ", StringComparison.Ordinal) || lines[0].Length < 5
            || !SignedNote.TryNumber(lines[0][4..], out var oldSize))
            throw SignedNote.Bad("the request does not begin with 'old SIZE'");
        if (lines.Length - 1 > ProofMax) throw SignedNote.Bad($"the proof has more than {ProofMax} hashes");
        var proof = lines.Skip(1).Select(line =>
            SignedNote.TryHash(line, out var hash) ? hash : throw SignedNote.Bad("a line of the proof is no hash"));
        return new AddCheckpoint(oldSize, [.. proof], body[(split + 2)..].ToArray());
    }
}

/// <summary>What a witness answers to <c>add-checkpoint</c>.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Size">Of the latest checkpoint that was cosigned, where the status is 409.</param>
/// <param name="Accepted">What is to be recorded before the cosignature is given out, where the status is 200.</param>
public sealed record WitnessAnswer(int Status, long Size = 0, SignedCheckpoint? Accepted = null);

/// <summary>The decision of a witness (C2SP tlog-witness, add-checkpoint). Pure: state is passed in.</summary>
public static class LogWitness
{
    /// <param name="log">Whose checkpoint it says it is; null where that log is not known.</param>
    /// <param name="latest">The checkpoint of that log that was cosigned last; null for none.</param>
    public static WitnessAnswer Judge(AddCheckpoint request, LogIdentity? log, Checkpoint? latest)
    {
        if (log is null) return new WitnessAnswer(404);
        SignedCheckpoint seen;
        try
        {
            seen = SignedCheckpoint.Open(request.Note, log);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.Unauthenticated)
        {
            return new WitnessAnswer(403);
        }

        if (request.OldSize > seen.Head.Size) return new WitnessAnswer(400);
        var size = latest?.Size ?? 0;
        if (request.OldSize != size) return new WitnessAnswer(409, size);
        if (size == seen.Head.Size && latest is not null && latest.Root != seen.Head.Root)
            return new WitnessAnswer(409, size);
        var isShown = size == 0
            ? request.Proof.Count == 0
            : LogProof.IsConsistent(size, seen.Head.Size, latest!.Root, seen.Head.Root, request.Proof);
        return isShown ? new WitnessAnswer(200, Accepted: seen) : new WitnessAnswer(422);
    }

    /// <summary>The cosignature's line, with its newline: the body of the answer.</summary>
    public static string Cosign(SignedCheckpoint accepted, string name, SigningKey key, DateTimeOffset time) =>
        new NoteKey(name, NoteKeyType.Cosignature, key.PublicKey).Sign(key, accepted.Note.Text, time).Line + "\n";

    /// <summary>The checkpoint with the cosignatures of known witnesses that an answer holds.</summary>
    /// <exception cref="VirgaException">BadInput: the answer is no list of signatures.</exception>
    public static SignedNote Add(SignedNote note, ReadOnlySpan<byte> answer, IReadOnlyCollection<NoteKey> witnesses)
    {
        var text = Encoding.UTF8.GetString(answer);
        if (!text.EndsWith('\n')) throw SignedNote.Bad("a witness' answer is not lines of signatures");
        foreach (var line in text[..^1].Split('\n').Take(SignedNote.SignaturesMax))
        {
            var signature = NoteSignature.Parse(line);
            if (witnesses.Any(key => key.Verify(note.Text, signature))) note = note.With(signature);
        }

        return note;
    }
}
