using System.Globalization;
using System.Text;
using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Trust;
using Virga.Trust.Log;

namespace Virga.Repository.Log;

/// <summary>
/// Has the log's newest checkpoint cosigned by another repository (C2SP tlog-witness). For one caller at a time.
/// </summary>
internal sealed class LogCosigner(
    TransparencyLog log, PeerKeys keys, LogClient client, AgentId witness, TimeProvider time)
{
    private IReadOnlyList<NoteKey>? witnessKeys;
    private string? cosigned;
    private long knownSize;

    public Endpoint Endpoint => client.Endpoint;

    /// <summary>Asks for a cosignature of the newest checkpoint, unless it has one.</summary>
    /// <exception cref="VirgaException">
    /// The witness does not answer or refuses. Conflict: it knows a newer head of this log than we do, so that ours was
    /// restored from an old copy.
    /// </exception>
    public async ValueTask AskAsync(CancellationToken cancellationToken)
    {
        var head = log.Current;
        if (cosigned == head.Note.Text) return;
        witnessKeys ??= await KeysAsync(cancellationToken);
        var (status, body) = await AddAsync(head, cancellationToken);
        if (status == 409 && TryReadSize(body, out var size) && size != knownSize)
        {
            knownSize = size;
            (status, body) = await AddAsync(head, cancellationToken);
        }

        if (status == 404)
        {
            await client.PostChainAsync(keys.Id, keys.Envelopes, cancellationToken);
            (status, body) = await AddAsync(head, cancellationToken);
        }

        if (status != 200) throw Refused(status);
        var note = LogWitness.Add(head.Note, body, witnessKeys);
        if (note.Signatures.Count == head.Note.Signatures.Count)
        {
            // Its key may have changed since we asked for it.
            witnessKeys = null;
            throw Refused(status);
        }

        (knownSize, cosigned) = (head.Head.Size, head.Note.Text);
        await log.AddCosignaturesAsync(note, witnessKeys, cancellationToken);
    }

    private async ValueTask<(int Status, byte[] Body)> AddAsync(
        SignedCheckpoint head, CancellationToken cancellationToken)
    {
        if (knownSize > head.Head.Size)
        {
            throw new VirgaException(FailureKind.Conflict,
                $"the witness at {Endpoint.Origin} knows this log with {knownSize} entries, here are "
                + $"{head.Head.Size}",
                "If the data folder was restored from a backup, stop: going on would show two histories. Begin a new "
                + "repository, or restore the newest log.");
        }

        var proof = knownSize == 0 || knownSize == head.Head.Size ? []
            : await new LogReader(log.ReadAsync, head.Head.Size).ConsistencyAsync(knownSize, false, cancellationToken);
        var request = new AddCheckpoint(knownSize, proof, head.Note.Encode());
        return await client.AddCheckpointAsync(request.Encode(), cancellationToken);
    }

    private async ValueTask<IReadOnlyList<NoteKey>> KeysAsync(CancellationToken cancellationToken)
    {
        var envelopes = await client.GetWholeChainAsync(witness, Sigchain.MaxStatements, cancellationToken);
        var chain = Sigchain.Check(envelopes.Select(item => (item.Body, item.Signature)), time.GetUtcNow());
        if (chain.Id != witness)
        {
            throw new VirgaException(FailureKind.Denied, $"at {Endpoint.Origin} answers another than the witness named",
                "Name the witness by its address of today.");
        }

        var name = LogIdentity.WitnessNameOf(witness);
        return [.. chain.ValidSigningKeys.Select(key => new NoteKey(name, NoteKeyType.Cosignature, key))];
    }

    private static bool TryReadSize(byte[] body, out long size) =>
        long.TryParse(Encoding.ASCII.GetString(body).TrimEnd('\n'), NumberStyles.None, CultureInfo.InvariantCulture,
            out size);

    private VirgaException Refused(int status) => new(FailureKind.Unavailable,
        $"the witness at {Endpoint.Origin} did not cosign the log's checkpoint (status {status})",
        "It is asked again; the log goes on without it.");
}
