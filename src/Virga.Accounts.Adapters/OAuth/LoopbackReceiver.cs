using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.Core;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>A redirect as it came: what stands in its query, and the browser that waits for a page.</summary>
internal sealed class ReceivedRedirect(IReadOnlyDictionary<string, string> values)
{
    private readonly TaskCompletionSource<LinkPage> page = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string? this[string name] => values.GetValueOrDefault(name);

    internal Task<LinkPage> Page => page.Task;

    /// <summary>Shows the end of it in the browser.</summary>
    public void Finish(LinkPage shown) => page.TrySetResult(shown);
}

/// <summary>
/// The way back from the browser: one GET on a port of this machine (RFC 8252, 7.3), the first that carries the right
/// state. Everything else gets a page that says no and changes nothing, also a second redirect.
/// </summary>
internal sealed class LoopbackReceiver : IAsyncDisposable
{
    private const int RequestBytesMax = 16 << 10;
    private const int ConnectionsMax = 16;

    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(20);

    private readonly Lock gate = new();
    private readonly List<TcpListener> listeners = [];
    private readonly List<Task> accepting = [];
    private readonly List<Task> serving = [];
    private readonly CancellationTokenSource stopping = new();
    private readonly TaskCompletionSource<ReceivedRedirect> received = new(
        TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly OAuthProvider provider;
    private readonly Pkce pkce;
    private readonly TimeProvider clock;
    private bool isTaken;
    private Task showing = Task.CompletedTask;

    private LoopbackReceiver(OAuthProvider provider, Pkce pkce, TimeProvider clock)
    {
        this.provider = provider;
        this.pkce = pkce;
        this.clock = clock;
    }

    public int Port { get; private set; }

    public string RedirectUri => provider.RedirectAt(Port);

    /// <summary>Ends when the redirect has come.</summary>
    public Task<ReceivedRedirect> Received => received.Task;

    /// <exception cref="VirgaException">InUse: the one port that the service allows is taken.</exception>
    public static LoopbackReceiver Start(OAuthProvider provider, Pkce pkce, TimeProvider clock)
    {
        var receiver = new LoopbackReceiver(provider, pkce, clock);
        receiver.Listen();
        return receiver;
    }

    /// <summary>Shows the browser how it ended, if it waits for that, and ends everything else.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var listener in listeners) listener.Stop();
        if (Received.IsCompletedSuccessfully) Received.Result.Finish(LinkPage.Refused("The linking was given up."));
        await showing;
        await stopping.CancelAsync();
        await Task.WhenAll(accepting);
        await Task.WhenAll(serving);
        stopping.Dispose();
    }

    private void Listen()
    {
        try
        {
            Port = ((IPEndPoint)Add(IPAddress.Loopback, provider.RedirectPort).LocalEndpoint).Port;
        }
        catch (SocketException e)
        {
            throw new VirgaException(
                FailureKind.InUse,
                $"port {provider.RedirectPort} of this machine, to which {provider.Title} sends the browser, is taken",
                "End what uses it, or link with --paste.", e);
        }
        if (provider.RedirectHost == "localhost") ListenOnIPv6Too();
        foreach (var listener in listeners) accepting.Add(AcceptAsync(listener));
    }

    // A browser may take localhost for ::1 first. Where the machine has no such address, or it is taken, it goes on.
    private void ListenOnIPv6Too()
    {
        try
        {
            Add(IPAddress.IPv6Loopback, Port);
        }
        catch (SocketException)
        {
        }
    }

    private TcpListener Add(IPAddress address, int port)
    {
        var listener = new TcpListener(address, port);
        listener.Start(ConnectionsMax);
        listeners.Add(listener);
        return listener;
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptSocketAsync(stopping.Token);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException
                or InvalidOperationException)
            {
                return;
            }
            lock (gate)
            {
                serving.RemoveAll(t => t.IsCompleted);
                if (serving.Count < ConnectionsMax) serving.Add(ServeAsync(socket));
                else socket.Dispose();
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await Task.Yield();
        using var timeout = new CancellationTokenSource(RequestTimeout, clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping.Token);
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            if (await ReadHeadAsync(stream, linked.Token) is not { } head) return;
            var (page, redirect) = Judge(head);
            if (redirect is null)
            {
                await stream.WriteAsync(page!.Write(), linked.Token);
                return;
            }
            timeout.CancelAfter(Timeout.InfiniteTimeSpan);
            var shown = ShowAsync(stream, redirect);
            lock (gate) showing = shown;
            received.TrySetResult(redirect);
            await shown;
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // The browser went away, or is told nothing because everything ends.
        }
    }

    private async Task ShowAsync(NetworkStream stream, ReceivedRedirect redirect)
    {
        var page = await redirect.Page;
        using var timeout = new CancellationTokenSource(RequestTimeout, clock);
        try
        {
            await stream.WriteAsync(page.Write(), timeout.Token);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Whether a page was seen changes nothing.
        }
    }

    private static async Task<string?> ReadHeadAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[RequestBytesMax];
        var count = 0;
        while (count < buffer.Length)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(count), cancellationToken);
            if (read == 0) return null;
            count += read;
            var end = buffer.AsSpan(0, count).IndexOf("\r\n\r\n"u8);
            if (end >= 0) return Encoding.Latin1.GetString(buffer, 0, end);
        }
        return null;
    }

    private (LinkPage? Page, ReceivedRedirect? Redirect) Judge(string head)
    {
        var lines = head.Split("\r\n");
        var words = lines[0].Split(' ');
        if (words is not ["GET", ['/', ..] target, "HTTP/1.1" or "HTTP/1.0"]) return (LinkPage.NotFound, null);
        var question = target.IndexOf('?');
        var path = question < 0 ? target : target[..question];
        if (path != "/") return (LinkPage.NotFound, null);
        // A page elsewhere whose name was made to lead to this machine speaks of that name.
        if (!IsForUs(lines)) return (LinkPage.Refused("This is not the address that was asked for."), null);
        var values = question < 0 ? null : QueryText.Parse(target[question..]);
        if (values is null || !pkce.IsState(values.GetValueOrDefault("state")))
            return (LinkPage.Refused("This answer does not belong to the linking that is under way here."), null);
        lock (gate)
        {
            if (isTaken) return (LinkPage.Refused("This answer was given already."), null);
            isTaken = true;
        }
        return (null, new ReceivedRedirect(values));
    }

    private bool IsForUs(string[] lines) => lines.Skip(1)
        .Where(l => l.StartsWith("host:", StringComparison.OrdinalIgnoreCase)).Select(l => l[5..].Trim())
        .All(host => host == $"{provider.RedirectHost}:{Port}");
}
