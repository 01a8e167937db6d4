using System.Net;
using System.Net.Http.Headers;
using Virga.BitTorrent.Downloads;

namespace Virga.BitTorrent.Tests.Downloads;

public sealed class WebSeedTests
{
    private const int PieceBytes = 64 << 10;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Everything_comes_from_a_web_seed_alone(bool isV1)
    {
        int[] lengths = [PieceBytes * 5, 0, 70_001, 3];
        var torrent = isV1 ? MadeTorrent.V1(PieceBytes, lengths) : MadeTorrent.V2(PieceBytes, lengths);
        var server = new FileServer(torrent);
        await using var run = new Run(torrent, server);

        for (var file = 0; file < lengths.Length; file++)
        {
            var content = new byte[lengths[file]];
            await run.Scheduler.ReadAsync(torrent.Layout.StartOf(file), content, CancellationToken.None);
            Assert.Equal(torrent.Files[file], content);
        }
        Assert.All(server.Asked, path => Assert.StartsWith("/made/file", path));
    }

    [Fact]
    public async Task A_server_that_fails_for_a_while_is_asked_again_and_a_redirect_is_followed()
    {
        var torrent = MadeTorrent.V1(PieceBytes, PieceBytes * 4);
        var server = new FileServer(torrent) { Redirects = true, IsDown = true };
        await using var run = new Run(torrent, server);
        var content = new byte[torrent.Row.Length];
        var read = run.Scheduler.ReadAsync(0, content, CancellationToken.None);
        while (run.Seed.Problem is null) await Task.Yield();
        Assert.Contains("status 503", run.Seed.Problem);
        server.IsDown = false;

        // No time passes while it is asked for something: a slow machine makes no slow server.
        await Pump.UntilAsync(read, () =>
        {
            if (run.Scheduler.Peers.Open == 0) run.Time.Advance(TimeSpan.FromSeconds(1));
        });

        Assert.Equal(torrent.Row, content);
    }

    [Fact]
    public async Task A_server_that_lies_is_dropped_and_one_that_has_nothing_says_so()
    {
        var torrent = MadeTorrent.V1(PieceBytes, PieceBytes * 4);
        await using var lying = new Run(torrent, new FileServer(torrent) { Lies = true });
        using var stop = new CancellationTokenSource();
        var read = lying.Scheduler.ReadAsync(0, new byte[PieceBytes], stop.Token);
        while (lying.Banned is null) await Task.Yield();
        Assert.Contains("sent all of piece 0", lying.Banned);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);

        await using var empty = new Run(torrent, new FileServer(torrent) { IsEmpty = true });
        using var end = new CancellationTokenSource();
        var waiting = empty.Scheduler.ReadAsync(0, new byte[PieceBytes], end.Token);
        await empty.Served;
        Assert.Contains("status 404", empty.Seed.Problem);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Theory]
    [InlineData("ftp://example.org/")]
    [InlineData("nonsense")]
    public void What_is_no_web_server_is_left_out(string url)
    {
        using var http = new HttpClient();

        Assert.Null(WebSeedPeer.Create(url, MadeTorrent.V1(PieceBytes, 5).Layout, http, TimeProvider.System));
    }

    private sealed class Run : IAsyncDisposable
    {
        private readonly CancellationTokenSource stop = new();

        public Run(MadeTorrent torrent, FileServer server)
        {
            Scheduler = new BlockScheduler(
                torrent.Layout, new PieceChecker(torrent.Layout, torrent.Layers), static _ => true, Time, null)
            {
                Banned = (_, proof) => Banned = proof,
            };
            Seed = WebSeedPeer.Create(
                "http://seed.example/", torrent.Layout, new HttpClient(server) { Timeout = Timeout.InfiniteTimeSpan },
                Time)!;
            Served = Seed.RunAsync(Scheduler, stop.Token);
        }

        public Testing.FakeTimeProvider Time { get; } = new();

        public BlockScheduler Scheduler { get; }

        public WebSeedPeer Seed { get; }

        public Task Served { get; }

        public string? Banned { get; private set; }

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await Served;
            Seed.Dispose();
            Scheduler.Dispose();
            stop.Dispose();
        }
    }

    /// <summary>A web server of a torrent's files, without a network.</summary>
    private sealed class FileServer(MadeTorrent torrent) : HttpMessageHandler
    {
        public bool Redirects { get; init; }

        public bool Lies { get; init; }

        public bool IsEmpty { get; init; }

        public bool IsDown { get; set; }

        public List<string> Asked { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var path = request.RequestUri!.AbsolutePath;
            lock (Asked) Asked.Add(path);
            if (IsDown) return Answer(HttpStatusCode.ServiceUnavailable);
            if (IsEmpty) return Answer(HttpStatusCode.NotFound);
            if (Redirects && !path.StartsWith("/moved", StringComparison.Ordinal))
            {
                var moved = new HttpResponseMessage(HttpStatusCode.Found);
                moved.Headers.Location = new Uri("/moved" + path, UriKind.Relative);
                return Task.FromResult(moved);
            }
            var file = torrent.Files[int.Parse(path[^1..], System.Globalization.CultureInfo.InvariantCulture)];
            var range = request.Headers.Range!.Ranges.Single();
            var (from, to) = ((int)range.From!, (int)range.To!);
            var data = file[from..(to + 1)];
            if (Lies) data[0] ^= 1;
            var content = new ByteArrayContent(data);
            content.Headers.ContentRange = new ContentRangeHeaderValue(from, to, file.Length);
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.PartialContent) { Content = content });
        }

        private static Task<HttpResponseMessage> Answer(HttpStatusCode status) =>
            Task.FromResult(new HttpResponseMessage(status));
    }
}
