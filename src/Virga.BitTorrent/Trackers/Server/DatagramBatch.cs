using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Virga.BitTorrent.Trackers.Server;

/// <summary>
/// Receives many packets by one call of the system and sends their answers by another (Linux: recvmmsg and sendmmsg;
/// elsewhere one at a time), in memory that is made once. Never blocks. For one loop.
/// </summary>
internal sealed unsafe partial class DatagramBatch : IDisposable
{
    /// <summary>More bring less and less: at 64 the two calls cost a fraction of the packets' own way.</summary>
    private const int PacketsMax = 64;

    /// <summary>
    /// An announce has 98 bytes, a full scrape 1,496; what is longer is cut, and then makes no sense.
    /// </summary>
    private const int RequestBytesMax = 1_536;

    private const int NameBytes = 28;
    private const int DontWait = 0x40;
    private const int Again = 11;
    private const int Interrupted = 4;

    /// <summary>As the system writes it: AF_INET and AF_INET6 of Linux, in the machine's order.</summary>
    private const ushort FamilyV4 = 2, FamilyV6 = 10;

    private readonly Socket socket;
    private readonly byte* memory;
    private readonly byte* requests, answers, names;
    private readonly Message* received, toSend;
    private readonly Vector* receiveVectors, sendVectors;
    private readonly SocketAddress? address;
    private int sends;

    public DatagramBatch(Socket socket)
    {
        this.socket = socket;
        socket.Blocking = false;
        const int each = RequestBytesMax + UdpAnswers.AnswerBytesMax + 32;
        var table = 2 * PacketsMax * (sizeof(Message) + sizeof(Vector));
        memory = (byte*)NativeMemory.AlignedAlloc((nuint)((PacketsMax * each) + table), 64);
        new Span<byte>(memory, (PacketsMax * each) + table).Clear();
        received = (Message*)memory;
        toSend = received + PacketsMax;
        receiveVectors = (Vector*)(toSend + PacketsMax);
        sendVectors = receiveVectors + PacketsMax;
        requests = (byte*)(sendVectors + PacketsMax);
        answers = requests + (PacketsMax * RequestBytesMax);
        names = answers + (PacketsMax * UdpAnswers.AnswerBytesMax);
        for (var i = 0; i < PacketsMax; i++)
        {
            receiveVectors[i] = new Vector { Base = requests + (i * RequestBytesMax), Length = RequestBytesMax };
            received[i].Vectors = receiveVectors + i;
            received[i].VectorCount = 1;
            received[i].Name = names + (i * 32);
            toSend[i].Vectors = sendVectors + i;
            toSend[i].VectorCount = 1;
        }

        if (!OperatingSystem.IsLinux()) address = new SocketAddress(socket.AddressFamily);
    }

    public void Dispose() => NativeMemory.AlignedFree(memory);

    /// <summary>Takes what waits; 0 when nothing does.</summary>
    public int Receive()
    {
        sends = 0;
        if (address is not null) return ReceiveOne(address);
        for (var i = 0; i < PacketsMax; i++) received[i].NameBytes = NameBytes;
        var handle = (int)socket.SafeHandle.DangerousGetHandle();
        var count = ReceiveMany(handle, received, PacketsMax, DontWait, null);
        if (count >= 0) return count;
        var error = Marshal.GetLastPInvokeError();
        return error is Again or Interrupted ? 0 : throw new SocketException(error);
    }

    public ReadOnlySpan<byte> Request(int index) =>
        new(requests + (index * RequestBytesMax), (int)Math.Min(received[index].Length, RequestBytesMax));

    /// <summary>Where a packet came from; false for an address of no family that we know.</summary>
    public bool TryFrom(int index, out PeerPlace from)
    {
        var name = new ReadOnlySpan<byte>(names + (index * 32), NameBytes);
        var port = BinaryPrimitives.ReadUInt16BigEndian(name[2..]);
        switch (MemoryMarshal.Read<ushort>(name))
        {
            case FamilyV4:
                from = PeerPlace.OfV4(BinaryPrimitives.ReadUInt32BigEndian(name[4..]), port);
                return true;
            case FamilyV6:
                from = new PeerPlace(
                    BinaryPrimitives.ReadUInt64BigEndian(name[8..]), BinaryPrimitives.ReadUInt64BigEndian(name[16..]),
                    port);
                return true;
            default:
                from = default;
                return false;
        }
    }

    /// <summary>Where the next answer is to be written.</summary>
    public Span<byte> Room => new(answers + (sends * UdpAnswers.AnswerBytesMax), UdpAnswers.AnswerBytesMax);

    /// <summary>Has what was written into <see cref="Room"/> sent to where a packet came from.</summary>
    public void Reply(int index, int bytes)
    {
        sendVectors[sends] = new Vector { Base = answers + (sends * UdpAnswers.AnswerBytesMax), Length = (nuint)bytes };
        toSend[sends].Name = received[index].Name;
        toSend[sends].NameBytes = received[index].NameBytes;
        sends++;
    }

    /// <summary>Sends the answers; those that the system doesn't take are lost, as packets get lost.</summary>
    public void Send()
    {
        if (address is not null)
        {
            if (sends > 0) SendOne(address);
            return;
        }

        var handle = (int)socket.SafeHandle.DangerousGetHandle();
        for (var at = 0; at < sends;)
        {
            var sent = SendMany(handle, toSend + at, (uint)(sends - at), DontWait);
            // The first of the rest can't be sent: go on behind it.
            at += sent > 0 ? sent : 1;
        }
    }

    private int ReceiveOne(SocketAddress from)
    {
        from.Size = from.Buffer.Length;
        try
        {
            var count = socket.ReceiveFrom(new Span<byte>(requests, RequestBytesMax), SocketFlags.None, from);
            var place = new IPEndPoint(IPAddress.Any, 0).Create(from) as IPEndPoint;
            WriteName(place!);
            received[0].Length = (uint)count;
            return 1;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.ConnectionReset
            or SocketError.MessageSize)
        {
            return 0;
        }
    }

    private void WriteName(IPEndPoint place)
    {
        var name = new Span<byte>(names, NameBytes);
        var isV6 = place.AddressFamily == AddressFamily.InterNetworkV6;
        MemoryMarshal.Write(name, isV6 ? FamilyV6 : FamilyV4);
        BinaryPrimitives.WriteUInt16BigEndian(name[2..], (ushort)place.Port);
        place.Address.TryWriteBytes(name[(isV6 ? 8 : 4)..], out _);
    }

    private void SendOne(SocketAddress to)
    {
        try
        {
            socket.SendTo(new ReadOnlySpan<byte>(answers, (int)sendVectors[0].Length), SocketFlags.None, to);
        }
        catch (SocketException)
        {
            // Lost, as packets get lost.
        }
    }

    [LibraryImport("libc", EntryPoint = "recvmmsg", SetLastError = true)]
    private static partial int ReceiveMany(int socket, Message* messages, uint count, int flags, void* timeout);

    [LibraryImport("libc", EntryPoint = "sendmmsg", SetLastError = true)]
    private static partial int SendMany(int socket, Message* messages, uint count, int flags);

    /// <summary>struct iovec.</summary>
    private struct Vector
    {
        public byte* Base;
        public nuint Length;
    }

    /// <summary>struct mmsghdr of 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct Message
    {
        [FieldOffset(0)] public byte* Name;
        [FieldOffset(8)] public uint NameBytes;
        [FieldOffset(16)] public Vector* Vectors;
        [FieldOffset(24)] public nuint VectorCount;
        [FieldOffset(56)] public uint Length;
    }
}
