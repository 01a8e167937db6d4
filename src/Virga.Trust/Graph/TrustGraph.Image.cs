using Virga.Core;

namespace Virga.Trust.Graph;

/// <summary>
/// The graph as a file: its arrays one after the other, in this machine's byte order, with a checksum. A cache, no wire
/// format: whoever can't read it builds the graph anew from the sigchains.
/// </summary>
internal sealed partial class TrustGraph
{
    private const int Magic = 0x31475456; // "VTG1", which also tells the byte order

    /// <summary>What is to be written. Compact first: the delta goes along whole.</summary>
    public Image ToImage()
    {
        var rest = EncodeRest();
        var header = new int[GraphImage.HeaderInts];
        (header[0], header[1], header[2], header[3], header[4], header[5]) =
            (Magic, ids.Length, words.Length, inStarts[^1], rest.Length, Hour);
        header[6] = baseHour;
        return new Image(header, ids, outStarts, words, ends, seqsLow, inStarts, inSources, lastSeqs, rest);
    }

    /// <summary>
    /// Reads what <see cref="Image.WriteAsync"/> wrote; Corrupt, with what to do, when it is anything else.
    /// </summary>
    /// <param name="length">Bytes of the image.</param>
    public static async ValueTask<TrustGraph> OpenAsync(Stream stream, long length, CancellationToken token)
    {
        var image = new GraphImageReader(stream, length);
        var header = await image.ReadAsync<int>(GraphImage.HeaderInts, token);
        var (agents, edges, pairs) = (header[1], header[2], header[3]);
        var isSane = header[0] == Magic && agents is >= 0 and <= AgentsMax && edges >= 0 && pairs >= 0
            && header[4] >= 0 && header[5] is >= 0 and < int.MaxValue / 2 && header[6] is >= 0
            && header[6] <= header[5];
        if (!isSane) throw GraphImageReader.Corrupt("it is something else, or of another version");
        var graph = new TrustGraph(VouchBody.TimeOf(header[5]))
        {
            baseHour = header[6],
            ids = await image.ReadAsync<Hash256>(agents, token),
            outStarts = await image.ReadAsync<int>(agents + 1L, token),
            words = await image.ReadAsync<uint>(edges, token),
            ends = await image.ReadAsync<ushort>(edges, token),
            seqsLow = await image.ReadAsync<byte>(edges, token),
            inStarts = await image.ReadAsync<int>(agents + 1L, token),
            inSources = await image.ReadAsync<byte>((pairs * (long)InSourceBytes) + 1, token),
            lastSeqs = await image.ReadAsync<ushort>(agents, token),
        };
        var rest = await image.ReadAsync<int>(header[4], token);
        await image.FinishAsync(token);
        graph.Check(pairs);
        graph.DecodeRest(rest);
        return graph;
    }

    /// <summary>What loops rely on that don't check bounds.</summary>
    private void Check(int pairs)
    {
        var isSound = outStarts[0] == 0 && outStarts[^1] == words.Length && inStarts[0] == 0 && inStarts[^1] == pairs;
        for (var i = 0; i < ids.Length; i++)
            isSound &= outStarts[i] <= outStarts[i + 1] && inStarts[i] <= inStarts[i + 1];
        for (var i = 1; i < ids.Length; i++) isSound &= ids[i - 1].CompareTo(ids[i]) < 0;
        var mostTarget = 0u;
        foreach (var word in words) mostTarget = Math.Max(mostTarget, word & EdgeWord.TargetMask);
        isSound &= words.Length == 0 || mostTarget < ids.Length;
        for (var at = 0; at < pairs && isSound; at++) isSound = InSource(at) < ids.Length;
        if (!isSound) throw GraphImageReader.Corrupt("its arrays don't go together");
    }

    /// <summary>What is small: numbers above 255 of statements, what has not started, disowns, the refused.</summary>
    private int[] EncodeRest()
    {
        var rest = new List<int> { seqsHigh.Count };
        foreach (var (agent, high) in seqsHigh.OrderBy(item => item.Key))
        {
            rest.Add(agent);
            foreach (var seq in high) rest.Add(seq);
        }
        var pending = Enumerable.Range(0, delta.Count).Where(e => EdgeWord.Scopes(delta.Word(e)) != 0)
            .OrderBy(e => (delta.Source(e), delta.Seq(e))).ToList();
        rest.Add(pending.Count);
        foreach (var e in pending)
            rest.AddRange([delta.Source(e), (int)delta.Word(e), delta.Start(e), delta.End(e), delta.Seq(e)]);
        rest.Add(limits.Count);
        foreach (var (pair, from) in limits.OrderBy(item => item.Key))
            rest.AddRange([(int)(pair >> 32), (int)pair, from]);
        rest.Add(refused.Count);
        rest.AddRange(refused.Order());
        return [.. rest];
    }

    private void DecodeRest(int[] rest)
    {
        var at = 0;
        int Next(int end) => at < rest.Length && (uint)rest[at] < (uint)end
            ? rest[at++]
            : throw GraphImageReader.Corrupt("its end is damaged");
        for (var count = Next(int.MaxValue); count > 0; count--)
        {
            var agent = Next(ids.Length);
            var high = new byte[outStarts[agent + 1] - outStarts[agent]];
            for (var i = 0; i < high.Length; i++) high[i] = (byte)Next(256);
            seqsHigh[agent] = high;
        }
        for (var count = Next(int.MaxValue); count > 0; count--)
        {
            var issuer = Next(ids.Length);
            var word = at < rest.Length ? (uint)rest[at++] : 0;
            if (EdgeWord.Target(word) >= ids.Length) throw GraphImageReader.Corrupt("its end is damaged");
            delta.Add(issuer, word, Next(int.MaxValue), Next(int.MaxValue), (ushort)Next(65_536));
            hasDelta.Add(issuer);
        }
        var change = new GraphChange();
        for (var count = Next(int.MaxValue); count > 0; count--)
            Disown(Next(ids.Length), Next(ids.Length), Next(65_536), change);
        for (var count = Next(int.MaxValue); count > 0; count--) refused.Add(Next(ids.Length));
        if (at != rest.Length) throw GraphImageReader.Corrupt("its end is damaged");
    }

    /// <summary>
    /// The arrays of one moment. They are the graph's own: they must not change until all is written.
    /// </summary>
    internal sealed record Image(
        int[] Header, Hash256[] Ids, int[] OutStarts, uint[] Words, ushort[] Ends, byte[] SeqsLow, int[] InStarts,
        byte[] InSources, ushort[] LastSeqs, int[] Rest)
    {
        /// <param name="isCurrent">Asked at the end: if the graph has changed, the image is not finished.</param>
        public async ValueTask WriteAsync(Stream stream, Func<bool> isCurrent, CancellationToken token)
        {
            var image = new GraphImageWriter(stream);
            await image.WriteAsync(Header, token);
            await image.WriteAsync(Ids, token);
            await image.WriteAsync(OutStarts, token);
            await image.WriteAsync(Words, token);
            await image.WriteAsync(Ends, token);
            await image.WriteAsync(SeqsLow, token);
            await image.WriteAsync(InStarts, token);
            await image.WriteAsync(InSources, token);
            await image.WriteAsync(LastSeqs, token);
            await image.WriteAsync(Rest, token);
            await image.FlushAsync(token);
            if (!isCurrent())
            {
                throw new VirgaException(FailureKind.Changed, "the graph of vouches changed while it was being saved",
                    "Save it again; what was written is not a whole image.");
            }
            await image.FinishAsync(token);
        }
    }
}
