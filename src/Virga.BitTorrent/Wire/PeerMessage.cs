using System.Buffers;
using System.Buffers.Binary;
using Virga.Core;

namespace Virga.BitTorrent.Wire;

/// <summary>Messages of BEP 3, 5, 6, 10 and 52, by their numbers.</summary>
public enum PeerMessageKind : byte
{
    Choke = 0,
    Unchoke = 1,
    Interested = 2,
    NotInterested = 3,
    Have = 4,
    Bitfield = 5,
    Request = 6,
    Piece = 7,
    Cancel = 8,
    Port = 9,
    Suggest = 13,
    HaveAll = 14,
    HaveNone = 15,
    Reject = 16,
    AllowedFast = 17,
    Extended = 20,
    HashRequest = 21,
    Hashes = 22,
    HashReject = 23,

    /// <summary>No number of a message: one that we don't know, to be left out.</summary>
    Unknown = 254,

    /// <summary>No number of a message: a frame without any.</summary>
    KeepAlive = 255,
}

/// <summary>One message. What a kind doesn't have is 0 or empty.</summary>
/// <param name="Piece">Also the port of <see cref="PeerMessageKind.Port"/>, and the number of an extension.</param>
/// <param name="Payload">
/// A block, a bitfield, hashes or an extension's message; a slice of what was received, good until more is received.
/// </param>
public readonly record struct PeerMessage(
    PeerMessageKind Kind, int Piece = 0, int Begin = 0, int Length = 0, HashRequest Hashes = default,
    ReadOnlyMemory<byte> Payload = default);

/// <summary>Frames of the peer protocol (BEP 3), read and written. Pure.</summary>
public static class PeerCodec
{
    public const int PieceHeaderBytes = 13;

    private const int LengthBytes = 4;

    /// <summary>
    /// The first message of the data. False where it isn't whole yet: then <paramref name="size"/> is the number of
    /// bytes that it takes, as far as known. BadInput for a message that no peer may send, as soon as its first bytes
    /// are there.
    /// </summary>
    /// <param name="size">Bytes that the message took, if it is whole.</param>
    public static bool TryRead(ReadOnlyMemory<byte> data, out PeerMessage message, out int size)
    {
        message = default;
        size = LengthBytes;
        if (data.Length < LengthBytes) return false;
        var length = BinaryPrimitives.ReadUInt32BigEndian(data.Span);
        if (length == 0)
        {
            message = new PeerMessage(PeerMessageKind.KeepAlive);
            return true;
        }
        size = LengthBytes + 1;
        if (data.Length < size) return false;
        var kind = (PeerMessageKind)data.Span[LengthBytes];
        var (least, most) = Bounds(kind);
        if (length - 1 < least || length - 1 > most)
            throw Bad($"a message '{Name(kind)}' of {length - 1} bytes");
        size = LengthBytes + (int)length;
        if (data.Length < size) return false;
        message = Parse(kind, data[(LengthBytes + 1)..size]);
        return true;
    }

    public static void Write(IBufferWriter<byte> output, PeerMessageKind kind) => Start(output, kind, 0);

    /// <summary>Have, suggest piece, allowed fast.</summary>
    public static void Write(IBufferWriter<byte> output, PeerMessageKind kind, int piece) =>
        BinaryPrimitives.WriteInt32BigEndian(Start(output, kind, 4), piece);

    /// <summary>Request, cancel, reject.</summary>
    public static void Write(IBufferWriter<byte> output, PeerMessageKind kind, int piece, int begin, int length)
    {
        var body = Start(output, kind, 12);
        BinaryPrimitives.WriteInt32BigEndian(body, piece);
        BinaryPrimitives.WriteInt32BigEndian(body[4..], begin);
        BinaryPrimitives.WriteInt32BigEndian(body[8..], length);
    }

    public static void WriteKeepAlive(IBufferWriter<byte> output)
    {
        output.GetSpan(LengthBytes)[..LengthBytes].Clear();
        output.Advance(LengthBytes);
    }

    public static void WriteBitfield(IBufferWriter<byte> output, ReadOnlySpan<byte> bits) =>
        bits.CopyTo(Start(output, PeerMessageKind.Bitfield, bits.Length));

    public static void WriteExtended(IBufferWriter<byte> output, int extension, ReadOnlySpan<byte> payload,
        ReadOnlySpan<byte> more = default)
    {
        var body = Start(output, PeerMessageKind.Extended, 1 + payload.Length + more.Length);
        body[0] = (byte)extension;
        payload.CopyTo(body[1..]);
        more.CopyTo(body[(1 + payload.Length)..]);
    }

    /// <summary>Hash request, hashes, hash reject.</summary>
    public static void WriteHashes(IBufferWriter<byte> output, PeerMessageKind kind, HashRequest request,
        ReadOnlySpan<byte> hashes = default)
    {
        var body = Start(output, kind, HashRequest.ByteCount + hashes.Length);
        request.Root.CopyTo(body);
        body = body[Hash256.ByteCount..];
        BinaryPrimitives.WriteInt32BigEndian(body, request.BaseLayer);
        BinaryPrimitives.WriteInt32BigEndian(body[4..], request.Index);
        BinaryPrimitives.WriteInt32BigEndian(body[8..], request.Length);
        BinaryPrimitives.WriteInt32BigEndian(body[12..], request.ProofLayers);
        hashes.CopyTo(body[16..]);
    }

    /// <summary>What stands before a block; the block itself is sent from where it lies.</summary>
    public static void WritePieceHeader(Span<byte> header, int piece, int begin, int length)
    {
        BinaryPrimitives.WriteInt32BigEndian(header, PieceHeaderBytes - LengthBytes + length);
        header[LengthBytes] = (byte)PeerMessageKind.Piece;
        BinaryPrimitives.WriteInt32BigEndian(header[5..], piece);
        BinaryPrimitives.WriteInt32BigEndian(header[9..], begin);
    }

    private static Span<byte> Start(IBufferWriter<byte> output, PeerMessageKind kind, int bodyBytes)
    {
        var span = output.GetSpan(LengthBytes + 1 + bodyBytes);
        BinaryPrimitives.WriteInt32BigEndian(span, 1 + bodyBytes);
        span[LengthBytes] = (byte)kind;
        output.Advance(LengthBytes + 1 + bodyBytes);
        return span.Slice(LengthBytes + 1, bodyBytes);
    }

    /// <summary>Bytes that a message may have behind its number.</summary>
    private static (int Least, int Most) Bounds(PeerMessageKind kind) => kind switch
    {
        PeerMessageKind.Choke or PeerMessageKind.Unchoke or PeerMessageKind.Interested or PeerMessageKind.NotInterested
            or PeerMessageKind.HaveAll or PeerMessageKind.HaveNone => (0, 0),
        PeerMessageKind.Have or PeerMessageKind.Suggest or PeerMessageKind.AllowedFast => (4, 4),
        PeerMessageKind.Bitfield => (0, WireLimits.PiecesMax / 8),
        PeerMessageKind.Request or PeerMessageKind.Cancel or PeerMessageKind.Reject => (12, 12),
        PeerMessageKind.Piece => (8, 8 + WireLimits.RequestBytesMax),
        PeerMessageKind.Port => (2, 2),
        PeerMessageKind.Extended => (1, 1 + WireLimits.ExtendedBytesMax),
        PeerMessageKind.HashRequest or PeerMessageKind.HashReject => (HashRequest.ByteCount, HashRequest.ByteCount),
        PeerMessageKind.Hashes => (HashRequest.ByteCount,
            HashRequest.ByteCount + ((WireLimits.HashesMax + WireLimits.UnclesMax) * Hash256.ByteCount)),
        _ => (0, WireLimits.ExtendedBytesMax),
    };

    private static PeerMessage Parse(PeerMessageKind kind, ReadOnlyMemory<byte> body)
    {
        var span = body.Span;
        switch (kind)
        {
            case PeerMessageKind.Have or PeerMessageKind.Suggest or PeerMessageKind.AllowedFast:
                return new PeerMessage(kind, Number(span, kind));
            case PeerMessageKind.Request or PeerMessageKind.Cancel or PeerMessageKind.Reject:
                return new PeerMessage(kind, Number(span, kind), Number(span[4..], kind), Number(span[8..], kind));
            case PeerMessageKind.Piece:
                return new PeerMessage(kind, Number(span, kind), Number(span[4..], kind), body.Length - 8,
                    Payload: body[8..]);
            case PeerMessageKind.Port:
                return new PeerMessage(kind, BinaryPrimitives.ReadUInt16BigEndian(span));
            case PeerMessageKind.Extended:
                return new PeerMessage(kind, span[0], Payload: body[1..]);
            case PeerMessageKind.HashRequest or PeerMessageKind.Hashes or PeerMessageKind.HashReject:
                if ((body.Length - HashRequest.ByteCount) % Hash256.ByteCount != 0) throw Bad("half a hash");
                return new PeerMessage(kind, Hashes: Hashes(span, kind), Payload: body[HashRequest.ByteCount..]);
            case PeerMessageKind.Bitfield:
                return new PeerMessage(kind, Payload: body);
            default:
                return new PeerMessage(Enum.IsDefined(kind) && kind < PeerMessageKind.Unknown
                    ? kind : PeerMessageKind.Unknown);
        }
    }

    private static HashRequest Hashes(ReadOnlySpan<byte> body, PeerMessageKind kind)
    {
        var root = new Hash256(body[..Hash256.ByteCount]);
        body = body[Hash256.ByteCount..];
        return new HashRequest(
            root, Number(body, kind), Number(body[4..], kind), Number(body[8..], kind), Number(body[12..], kind));
    }

    private static int Number(ReadOnlySpan<byte> body, PeerMessageKind kind)
    {
        var value = BinaryPrimitives.ReadInt32BigEndian(body);
        return value >= 0 ? value : throw Bad($"'{Name(kind)}' with a number of {(uint)value}");
    }

    private static string Name(PeerMessageKind kind) => Enum.IsDefined(kind) ? kind.ToString() : $"{(byte)kind}";

    internal static VirgaException Bad(string what) => new(FailureKind.BadInput, $"the peer sent {what}");
}
