using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Threading.Channels;
using Virga.BitTorrent.Wire;
using Virga.Core;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// A server that has the torrent's files under one URL (BEP 19), as a peer that has everything and never chokes.
/// Requests that follow each other become one range request. What it sends is checked like every peer's.
/// </summary>
public sealed class WebSeedPeer : IBlockPeer, IDisposable
{
    /// <summary>Range requests at once.</summary>
    private const int WorkersMost = 3;

    /// <summary>Bytes of one range request.</summary>
    private const int RunBytesMax = 4 << 20;
    private const int RedirectsMax = 5;
    private const int PauseDoublings = 6;
    private static readonly TimeSpan StallAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PauseLeast = TimeSpan.FromSeconds(5);

    private readonly PieceLayout layout;
    private readonly HttpClient http;
    private readonly TimeProvider time;
    private readonly Channel<(int Piece, int Begin, int Length)> requests =
        Channel.CreateUnbounded<(int, int, int)>(new UnboundedChannelOptions { SingleReader = false });

    private readonly ConcurrentDictionary<(int Piece, int Begin), bool> open = [];
    private readonly CancellationTokenSource stop = new();
    private readonly Uri url;
    private int failures;

    private WebSeedPeer(Uri url, PieceLayout layout, HttpClient http, TimeProvider time)
    {
        this.url = url;
        this.layout = layout;
        this.http = http;
        this.time = time;
        Name = $"web seed {url.GetLeftPart(UriPartial.Path)}";
    }

    public string Name { get; }

    public IPEndPoint? Address => null;

    public int RequestsMax => WorkersMost * RunBytesMax / WireLimits.BlockBytes;

    /// <summary>Why it gives nothing now; null while it does.</summary>
    public string? Problem { get; private set; }

    /// <summary>Null where the URL is none that anybody could ask.</summary>
    /// <param name="http">With a handler that follows no redirects and reaches allowed addresses alone.</param>
    public static WebSeedPeer? Create(string url, PieceLayout layout, HttpClient http, TimeProvider time) =>
        Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https"
            ? new WebSeedPeer(parsed, layout, http, time) : null;

    public bool Request(int piece, int begin, int length)
    {
        open[(piece, begin)] = true;
        return requests.Writer.TryWrite((piece, begin, length));
    }

    public void Cancel(int piece, int begin, int length) => open.TryRemove((piece, begin), out _);

    public void SetInterested(bool isInterested)
    {
        // It serves whoever asks.
    }

    public void Close(string why)
    {
        Problem ??= why;
        stop.Cancel();
    }

    public void Dispose()
    {
        stop.Cancel();
        http.Dispose();
    }

    /// <summary>Serves the scheduler until it is closed, or has nothing to give.</summary>
    public async Task RunAsync(BlockScheduler scheduler, CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop.Token);
        var peer = scheduler.Join(this);
        try
        {
            scheduler.SetHave(peer, static _ => true);
            scheduler.SetChoked(peer, false);
            var workers = Enumerable.Range(0, WorkersMost).Select(_ => WorkAsync(scheduler, peer, both.Token));
            await Task.WhenAll(workers);
        }
        catch (OperationCanceledException) when (both.IsCancellationRequested)
        {
            // Closed, or the download has ended.
        }
        finally
        {
            scheduler.Leave(peer);
        }
    }

    private async Task WorkAsync(BlockScheduler scheduler, DownloadPeer peer, CancellationToken cancellationToken)
    {
        await Task.Yield();
        var buffer = ArrayPool<byte>.Shared.Rent(RunBytesMax);
        try
        {
            var run = new List<(int Piece, int Begin, int Length)>();
            while (true)
            {
                await TakeRunAsync(run, cancellationToken);
                try
                {
                    await FetchAsync(run, buffer, scheduler, peer, cancellationToken);
                    (failures, Problem) = (0, null);
                }
                catch (VirgaException e)
                {
                    await FailedAsync(e, run, scheduler, peer, cancellationToken);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Requests that follow each other without a gap.</summary>
    private async Task TakeRunAsync(List<(int Piece, int Begin, int Length)> run, CancellationToken cancellationToken)
    {
        run.Clear();
        var bytes = 0;
        while (run.Count == 0)
        {
            var first = await requests.Reader.ReadAsync(cancellationToken);
            if (open.ContainsKey((first.Piece, first.Begin))) run.Add(first);
        }
        while (requests.Reader.TryPeek(out var next) && bytes + next.Length <= RunBytesMax - run[0].Length)
        {
            var last = run[^1];
            if (StartOf(next) != StartOf(last) + last.Length || !requests.Reader.TryRead(out next)) return;
            if (StartOf(next) != StartOf(last) + last.Length)
            {
                // Another worker took the one that was seen: this one is for whoever comes next.
                requests.Writer.TryWrite(next);
                return;
            }
            run.Add(next);
            bytes += next.Length;
        }
    }

    private long StartOf((int Piece, int Begin, int Length) request) =>
        ((long)request.Piece * layout.PieceBytes) + request.Begin;

    private async Task FetchAsync(
        List<(int Piece, int Begin, int Length)> run, byte[] buffer, BlockScheduler scheduler, DownloadPeer peer,
        CancellationToken cancellationToken)
    {
        var start = StartOf(run[0]);
        var length = (int)(StartOf(run[^1]) + run[^1].Length - start);
        var delivered = 0;
        var filled = 0;
        while (filled < length)
        {
            // Over the border of files, one request for each.
            var stretch = FirstStretch(start + filled, length - filled);
            var part = buffer.AsMemory(filled, stretch.Length);
            if (layout.Info.Files[stretch.File].IsPadding) part.Span.Clear();
            else await ReadAsync(stretch, part, Arrived, cancellationToken);
            filled += stretch.Length;
            Arrived(0);
        }

        void Arrived(int more)
        {
            var here = filled + more;
            for (; delivered < run.Count; delivered++)
            {
                var (piece, begin, bytes) = run[delivered];
                var at = (int)(StartOf(run[delivered]) - start);
                if (at + bytes > here) return;
                if (open.TryRemove((piece, begin), out _))
                    scheduler.Deliver(peer, piece, begin, buffer.AsSpan(at, bytes));
            }
        }
    }

    private FileStretch FirstStretch(long at, int length)
    {
        var piece = (int)(at / layout.PieceBytes);
        return layout.Stretches(piece, (int)(at - ((long)piece * layout.PieceBytes)), length).First();
    }

    private async Task ReadAsync(
        FileStretch stretch, Memory<byte> destination, Action<int> arrived, CancellationToken cancellationToken)
    {
        using var stalled = new CancellationTokenSource(StallAfter, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stalled.Token);
        try
        {
            using var response = await SendAsync(stretch, destination.Length, both.Token);
            await using var body = await response.Content.ReadAsStreamAsync(both.Token);
            for (var done = 0; done < destination.Length;)
            {
                var count = await body.ReadAsync(destination[done..], both.Token);
                if (count == 0) throw Failed("ended its answer in the middle");
                stalled.CancelAfter(StallAfter);
                done += count;
                arrived(done);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Failed($"sent nothing for {StallAfter.TotalSeconds:0} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            // What the address rules refuse comes wrapped.
            for (var inner = e.InnerException; inner is not null; inner = inner.InnerException)
                if (inner is VirgaException own) throw own;
            throw Failed($"can't be read: {e.Message}");
        }
    }

    private async Task<HttpResponseMessage> SendAsync(
        FileStretch stretch, int length, CancellationToken cancellationToken)
    {
        var place = UrlOf(stretch.File);
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, place);
            request.Headers.Range = new RangeHeaderValue(stretch.Offset, stretch.Offset + length - 1);
            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (IsRange(response, stretch, length)) return response;
            using (response)
            {
                if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308)
                    || response.Headers.Location is not { } location || redirects == RedirectsMax)
                    throw Refused(response);
                place = new Uri(place, location);
                if (place.Scheme is not ("http" or "https")) throw Refused(response);
            }
        }
    }

    /// <summary>A server may answer with the whole file where that is what was asked for.</summary>
    private bool IsRange(HttpResponseMessage response, FileStretch stretch, int length) => response.StatusCode switch
    {
        HttpStatusCode.PartialContent => response.Content.Headers.ContentRange is { Unit: "bytes", From: { } from }
            && from == stretch.Offset,
        HttpStatusCode.OK => stretch.Offset == 0 && length == layout.Info.Files[stretch.File].Length,
        _ => false,
    };

    /// <summary>BEP 19: a folder's URL is followed by the torrent's name and the file's path.</summary>
    private Uri UrlOf(int file)
    {
        var info = layout.Info;
        var text = url.AbsoluteUri;
        if (info.IsSingleFile) return text.EndsWith('/') ? new Uri(text + Uri.EscapeDataString(info.Name)) : url;
        var path = string.Join('/', info.Files[file].Path.Prepend(info.Name).Select(Uri.EscapeDataString));
        return new Uri(text + (text.EndsWith('/') ? "" : "/") + path);
    }

    private async Task FailedAsync(
        VirgaException e, List<(int Piece, int Begin, int Length)> run, BlockScheduler scheduler, DownloadPeer peer,
        CancellationToken cancellationToken)
    {
        Problem = e.Message;
        if (!e.IsTransient)
        {
            Close(e.Message);
            return;
        }
        scheduler.SetChoked(peer, true);
        foreach (var (piece, begin, _) in run)
            if (open.TryRemove((piece, begin), out _)) scheduler.Reject(peer, piece, begin);
        while (requests.Reader.TryRead(out var next))
            if (open.TryRemove((next.Piece, next.Begin), out _)) scheduler.Reject(peer, next.Piece, next.Begin);
        var pause = PauseLeast * Math.Pow(2, Math.Min(failures++, PauseDoublings));
        await Task.Delay(pause, time, cancellationToken);
        scheduler.SetChoked(peer, false);
    }

    private VirgaException Failed(string what) => new(FailureKind.Unavailable, $"{Name} {what}");

    private VirgaException Refused(HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        var isPassing = status is 408 or 429 or >= 500;
        var kind = isPassing
            ? FailureKind.Unavailable
            : status is 404 or 410 ? FailureKind.NotFound : FailureKind.Denied;
        var what = status is 200 or 206 ? "does not answer requests for ranges" : $"answers with status {status}";
        return new VirgaException(kind, $"{Name} {what}");
    }
}
