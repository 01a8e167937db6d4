using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Virga.EndToEnd.Harness;

/// <summary>What becomes of a stretch of bytes on its way.</summary>
/// <param name="Delay">Before it goes on; what comes behind it on the same connection waits, too.</param>
/// <param name="Ends">The connection ends before it.</param>
/// <param name="Garbles">One bit of it is turned over.</param>
internal readonly record struct PacketFate(TimeSpan Delay, bool Ends = false, bool Garbles = false);

/// <summary>
/// Stands between two agents as a router would: connections to its port are forwarded as they are to the sender's.
/// Counts what the sender delivers, over all its lives, and calls back in the middle of it.
/// </summary>
internal sealed class CountingProxy : IAsyncDisposable
{
    private const int BufferBytes = 32 << 10;

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Task accepting;
    private long delivered;
    private long taken;
    private long mark = long.MaxValue;
    private Action? atMark;

    public CountingProxy()
    {
        listener.Start();
        accepting = Task.Run(AcceptAsync);
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Where the sender listens now.</summary>
    public int TargetPort { get; set; }

    /// <summary>Connections whose first bytes hold this are not counted; null for none.</summary>
    public string? Uncounted { get; init; }

    /// <summary>Bytes that went to the receiver.</summary>
    public long Delivered => Interlocked.Read(ref delivered);

    /// <summary>Bytes that came from the receiver.</summary>
    public long Taken => Interlocked.Read(ref taken);

    /// <summary>Asked with its length for each stretch that goes to the receiver; null: all goes on as it is.</summary>
    public Func<int, PacketFate>? Fate { get; set; }

    /// <summary>Calls back once, before the byte with that number passes.</summary>
    public void CallAt(long bytes, Action action)
    {
        atMark = action;
        Interlocked.Exchange(ref mark, bytes);
    }

    public void CallNever() => Interlocked.Exchange(ref mark, long.MaxValue);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await accepting;
        listener.Stop();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                var client = await listener.AcceptSocketAsync(stop.Token);
                connections.RemoveAll(c => c.IsCompleted);
                connections.Add(ForwardAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
        await Task.WhenAll(connections);
    }

    private async Task ForwardAsync(Socket client)
    {
        using var target = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using (client)
        {
            client.NoDelay = target.NoDelay = true;
            // What lies in the kernel's buffers counts as delivered: little of it may.
            client.SendBufferSize = 64 << 10;
            try
            {
                await target.ConnectAsync(IPAddress.Loopback, TargetPort, stop.Token);
                using var end = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
                var first = new byte[BufferBytes];
                var count = await client.ReceiveAsync(first, stop.Token);
                for (var sent = 0; sent < count;) sent += await target.SendAsync(first.AsMemory(sent, count - sent));
                var counts = Uncounted is null
                    || !Encoding.ASCII.GetString(first, 0, count).Contains(Uncounted, StringComparison.Ordinal);
                if (counts) Interlocked.Add(ref taken, count);
                await Task.WhenAny(
                    CopyAsync(client, target, n => Interlocked.Add(ref taken, counts ? n : 0), false, end.Token),
                    CopyAsync(target, client, n => Count(counts ? n : 0), true, end.Token));
                await end.CancelAsync();
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
            }
        }
    }

    private void Count(int bytes)
    {
        var now = Interlocked.Add(ref delivered, bytes);
        var at = Interlocked.Read(ref mark);
        if (now >= at && Interlocked.CompareExchange(ref mark, long.MaxValue, at) == at) atMark?.Invoke();
    }

    private async Task CopyAsync(
        Socket from, Socket to, Action<int> count, bool isFated, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferBytes];
        try
        {
            while (await from.ReceiveAsync(buffer, cancellationToken) is var read and > 0)
            {
                count(read);
                var fate = isFated ? Fate?.Invoke(read) ?? default : default;
                if (fate.Ends) return;
                if (fate.Garbles) buffer[read / 2] ^= 16;
                if (fate.Delay > TimeSpan.Zero) await Task.Delay(fate.Delay, cancellationToken);
                for (var sent = 0; sent < read;) sent += await to.SendAsync(
                    buffer.AsMemory(sent, read - sent), cancellationToken);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }
}
