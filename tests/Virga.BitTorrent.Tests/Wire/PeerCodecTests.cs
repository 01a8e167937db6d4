using System.Buffers;
using System.Buffers.Binary;
using Virga.BitTorrent.Wire;
using Virga.BitTorrent.Wire.Extensions;
using Virga.Core;
using Virga.Testing;

namespace Virga.BitTorrent.Tests.Wire;

/// <summary>Every message there and back, and whatever else somebody may send.</summary>
public sealed class PeerCodecTests
{
    private static readonly PeerMessageKind[] KindsToSend = [.. Enum.GetValues<PeerMessageKind>()
        .Where(k => k is not (PeerMessageKind.Unknown or PeerMessageKind.KeepAlive))];

    private static readonly HashRequest Hashes = new(Sample.Hash(1), 2, 8, 4, 5);

    public static TheoryData<PeerMessageKind> Kinds => [.. KindsToSend];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_message_is_read_as_it_was_written_whole_and_byte_by_byte(PeerMessageKind kind)
    {
        var bytes = Write(kind);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.False(PeerCodec.TryRead(bytes.AsMemory(0, length), out _, out var needed));
            Assert.InRange(needed, length + 1, bytes.Length);
        }
        Assert.True(PeerCodec.TryRead(bytes, out var message, out var size));
        Assert.Equal((kind, bytes.Length), (message.Kind, size));
        Assert.Equal(bytes, Write(message));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_message_of_an_impossible_length_is_refused_before_it_has_come(PeerMessageKind kind)
    {
        var header = Write(kind)[..5];
        BinaryPrimitives.WriteUInt32BigEndian(header, uint.MaxValue);
        Assert.Equal(FailureKind.BadInput, Refused(header));
        var isEmptyAllowed = kind is PeerMessageKind.Bitfield or PeerMessageKind.Choke or PeerMessageKind.Unchoke
            or PeerMessageKind.Interested or PeerMessageKind.NotInterested or PeerMessageKind.HaveAll
            or PeerMessageKind.HaveNone;
        BinaryPrimitives.WriteUInt32BigEndian(header, 1);
        if (isEmptyAllowed) Assert.True(PeerCodec.TryRead(header, out _, out _));
        else Assert.Equal(FailureKind.BadInput, Refused(header));
    }

    [Fact]
    public void Bytes_that_were_changed_are_another_message_or_refused()
    {
        var seeded = new Seeded(77);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = Write(KindsToSend[seeded.Next(KindsToSend.Length)]);
            for (var changes = 1 + seeded.Next(4); changes > 0; changes--)
                bytes[seeded.Next(Math.Min(bytes.Length, 64))] = (byte)seeded.Next(256);
            try
            {
                var isWhole = PeerCodec.TryRead(bytes, out _, out var size);
                Assert.InRange(size, isWhole ? 4 : 0, 4 + 9 + (256 << 10));
            }
            catch (VirgaException e)
            {
                Assert.Equal(FailureKind.BadInput, e.Kind);
            }
        }
    }

    [Fact]
    public void Extensions_that_make_no_sense_are_refused_or_used_as_far_as_they_do()
    {
        var seeded = new Seeded(78);
        byte[][] samples =
        [
            ExtensionHandshake.Write("Virga", 1000, 6881, true, true, System.Net.IPAddress.Loopback),
            [.. MetadataMessage.Write(MetadataKind.Data, 0, 5), 1, 2, 3, 4, 5],
            MetadataMessage.Write(MetadataKind.Request, 3),
            new PexMessage([new(System.Net.IPAddress.Loopback, 1)], []).Write(),
            "d1:md11:ut_metadatai-1e6:ut_pexi99999999999999999999ee4:reqq3:abc1:pi70000ee"u8.ToArray(),
        ];
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = samples[seeded.Next(samples.Length)].ToArray();
            if (i >= samples.Length) bytes[seeded.Next(bytes.Length)] = (byte)seeded.Next(256);
            if (seeded.Next(4) == 0) bytes = bytes[..(int)seeded.Next(bytes.Length)];
            foreach (Action parse in new Action[]
            {
                () => ExtensionHandshake.Parse(bytes), () => MetadataMessage.Parse(bytes),
                () => PexMessage.Parse(bytes),
            })
            {
                try
                {
                    parse();
                }
                catch (VirgaException e)
                {
                    Assert.Equal(FailureKind.BadInput, e.Kind);
                }
            }
        }
        var odd = ExtensionHandshake.Parse(samples[4]);
        Assert.Equal((0, 0, 0, 0), (odd.MetadataId, odd.PexId, odd.RequestsMax, odd.ListenPort));
    }

    [Fact]
    public async Task No_order_of_messages_makes_a_session_fail()
    {
        for (ulong seed = 1; seed <= 150; seed++)
        {
            var seeded = new Seeded(seed);
            var torrent = new MemoryTorrent(3 * MemoryTorrent.PieceBytes);
            var swarm = seed % 3 == 0
                ? new Swarm(null, torrent.Info.InfoHashV2) : new Swarm(torrent.Info) { Upload = torrent };
            swarm.Downloads = session => new RecordingDownload(session);
            var (ours, theirs) = MemoryLink.Pair();
            var running = new PeerSession(ours, swarm, Pairing.Settings(1), null).RunAsync(CancellationToken.None);
            var draining = DrainAsync(theirs);
            await theirs.SendAsync([PeerHandshake.Write(swarm.Hashes[0], Pairing.Settings(2).Id, true)], default);
            try
            {
                for (var i = 0; i < 40 && !running.IsCompleted; i++)
                    await theirs.SendAsync([Any(seeded, torrent)], default);
            }
            catch (IOException)
            {
                // It was left.
            }
            await theirs.DisposeAsync();
            var end = await running;
            Assert.True(
                end.Reason is PeerEndReason.BrokeProtocol or PeerEndReason.Closed or PeerEndReason.NothingToDo
                    or PeerEndReason.Local, $"seed {seed}: {end}");
            await draining;
            Assert.Equal(0, torrent.Leased);
        }
    }

    private static byte[] Any(Seeded seeded, MemoryTorrent torrent)
    {
        var output = new ArrayBufferWriter<byte>();
        var kind = KindsToSend[seeded.Next(KindsToSend.Length)];
        var (piece, begin) = ((int)seeded.Next(4), (int)seeded.Next(5) * WireLimits.BlockBytes);
        switch (kind)
        {
            case PeerMessageKind.Have or PeerMessageKind.Suggest or PeerMessageKind.AllowedFast:
                PeerCodec.Write(output, kind, piece);
                break;
            case PeerMessageKind.Request or PeerMessageKind.Cancel or PeerMessageKind.Reject:
                PeerCodec.Write(output, kind, piece, begin, WireLimits.BlockBytes);
                break;
            case PeerMessageKind.HashRequest or PeerMessageKind.Hashes or PeerMessageKind.HashReject:
                PeerCodec.WriteHashes(
                    output, kind, new HashRequest(torrent.Info.Files[0].Root!.Value, 2, piece, 2, begin));
                break;
            case PeerMessageKind.Extended:
                PeerCodec.WriteExtended(output, piece, seeded.Next(2) == 0
                    ? ExtensionHandshake.Write("x", 100, 1, false, true, System.Net.IPAddress.Loopback)
                    : MetadataMessage.Write((MetadataKind)seeded.Next(3), piece, 100));
                break;
            case PeerMessageKind.Bitfield:
                PeerCodec.WriteBitfield(output, [(byte)(seeded.Next(3) == 0 ? 0xff : 0x40)]);
                break;
            default:
                return Write(kind);
        }
        return output.WrittenSpan.ToArray();
    }

    private static async Task DrainAsync(MemoryLink link)
    {
        var buffer = new byte[64 << 10];
        while (await link.ReceiveAsync(buffer, default) > 0)
        {
        }
    }

    private static FailureKind Refused(byte[] bytes) =>
        Assert.Throws<VirgaException>(() => PeerCodec.TryRead(bytes, out _, out _)).Kind;

    private static byte[] Write(PeerMessageKind kind) => Write(kind switch
    {
        PeerMessageKind.Have or PeerMessageKind.Suggest or PeerMessageKind.AllowedFast => new PeerMessage(kind, 7),
        PeerMessageKind.Request or PeerMessageKind.Cancel or PeerMessageKind.Reject =>
            new PeerMessage(kind, 7, 16_384, 1000),
        PeerMessageKind.Piece => new PeerMessage(kind, 7, 16_384, 100, Payload: Seeded.Bytes(100, 1)),
        PeerMessageKind.Port => new PeerMessage(kind, 6881),
        PeerMessageKind.Extended => new PeerMessage(kind, 1, Payload: Seeded.Bytes(50, 2)),
        PeerMessageKind.Bitfield => new PeerMessage(kind, Payload: Seeded.Bytes(13, 3)),
        PeerMessageKind.HashRequest or PeerMessageKind.HashReject => new PeerMessage(kind, Hashes: Hashes),
        PeerMessageKind.Hashes => new PeerMessage(kind, Hashes: Hashes, Payload: Seeded.Bytes(7 * 32, 4)),
        _ => new PeerMessage(kind),
    });

    private static byte[] Write(PeerMessage message)
    {
        var output = new ArrayBufferWriter<byte>();
        switch (message.Kind)
        {
            case PeerMessageKind.Have or PeerMessageKind.Suggest or PeerMessageKind.AllowedFast:
                PeerCodec.Write(output, message.Kind, message.Piece);
                break;
            case PeerMessageKind.Request or PeerMessageKind.Cancel or PeerMessageKind.Reject:
                PeerCodec.Write(output, message.Kind, message.Piece, message.Begin, message.Length);
                break;
            case PeerMessageKind.Piece:
                var header = output.GetSpan(PeerCodec.PieceHeaderBytes);
                PeerCodec.WritePieceHeader(header, message.Piece, message.Begin, message.Length);
                output.Advance(PeerCodec.PieceHeaderBytes);
                output.Write(message.Payload.Span);
                break;
            case PeerMessageKind.Port:
                output.Write<byte>([0, 0, 0, 3, 9, (byte)(message.Piece >> 8), (byte)message.Piece]);
                break;
            case PeerMessageKind.Extended:
                PeerCodec.WriteExtended(output, message.Piece, message.Payload.Span);
                break;
            case PeerMessageKind.Bitfield:
                PeerCodec.WriteBitfield(output, message.Payload.Span);
                break;
            case PeerMessageKind.HashRequest or PeerMessageKind.Hashes or PeerMessageKind.HashReject:
                PeerCodec.WriteHashes(output, message.Kind, message.Hashes, message.Payload.Span);
                break;
            default:
                PeerCodec.Write(output, message.Kind);
                break;
        }
        return output.WrittenSpan.ToArray();
    }
}
