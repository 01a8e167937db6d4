using System.Text;
using Virga.BitTorrent.Trackers;
using Virga.Core;
using static Virga.BitTorrent.Tests.Trackers.TrackerKit;

namespace Virga.BitTorrent.Tests.Trackers;

public sealed class HttpTrackerTests
{
    private static readonly byte[] Empty = "d8:intervali1800e5:peers0:e"u8.ToArray();

    [Fact]
    public void Peers_in_every_form_are_read_and_those_refused_left_out()
    {
        var body = "d8:completei3e10:incompletei4e8:intervali100e12:min intervali90e"u8.ToArray()
            .Concat("5:peersld2:ip11:100.1.2.3.44:porti1eed2:ip7:8.8.8.84:porti2eed2:ip8:10.0.0.14:porti3ee"u8
                .ToArray())
            .Concat("d2:ip11:example.com4:porti4eed2:ip20:2a00:1450:4001::200e4:porti5ee3:odde"u8.ToArray())
            .Concat("6:peers618:"u8.ToArray())
            .Concat(Convert.FromHexString("2a001450400100000000000000000001" + "0006"))
            .Concat("15:warning message4:a\nbce"u8.ToArray()).ToArray();

        var answer = TrackerAnswers.ReadAnnounce(body, AddressRules.PublicOnly);

        Assert.Equal(
            ["8.8.8.8:2", "[2a00:1450:4001::200e]:5", "[2a00:1450:4001::1]:6"],
            answer.Peers.Select(peer => peer.ToString()));
        Assert.Equal(new SwarmCounts(3, 4, null), answer.Counts);
        Assert.Equal((100, 90), (answer.Interval.TotalSeconds, answer.MinInterval.TotalSeconds));
        Assert.Equal("a?bc", answer.Warning);
    }

    [Fact]
    public async Task The_request_says_what_BEP_3_asks_for()
    {
        using var server = new ScriptedHttp(_ => ScriptedHttp.Ok(Empty));
        using var clients = Clients();

        await clients.Open(server.Address("/x/announce?passkey=a%2Fb")).AnnounceAsync(
            Announce(Hash(1), 6881, left: 7, told: AnnounceEvent.Completed), default);

        var asked = Assert.Single(server.Asked);
        Assert.StartsWith("/x/announce?passkey=a%2Fb&info_hash=%", asked, StringComparison.Ordinal);
        Assert.Contains("&peer_id=-VI0100-", asked, StringComparison.Ordinal);
        Assert.Contains(
            "&port=6881&uploaded=1&downloaded=2&left=7&compact=1&no_peer_id=1&key=00000001&numwant=50", asked,
            StringComparison.Ordinal);
        Assert.EndsWith("&event=completed", asked, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_id_that_a_tracker_gives_is_given_back()
    {
        using var server = new ScriptedHttp(_ => ScriptedHttp.Ok("d5:peers0:10:tracker id3:a&be"u8));
        using var clients = Clients();
        var tracker = clients.Open(server.Address("/announce"));

        await tracker.AnnounceAsync(Announce(Hash(1), 1), default);
        await tracker.AnnounceAsync(Announce(Hash(1), 1), default);

        Assert.DoesNotContain("trackerid", server.Asked.First(), StringComparison.Ordinal);
        Assert.EndsWith("&trackerid=a%26b", server.Asked.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_is_followed_to_where_it_may_lead_and_no_further()
    {
        using var inner = new ScriptedHttp(_ => ScriptedHttp.Ok(Empty));
        using var server = new ScriptedHttp(target => ScriptedHttp.Redirect(
            target.StartsWith("/a", StringComparison.Ordinal)
                ? $"http://127.0.0.2:{inner.Port}/announce" : $"http://127.0.0.1:{inner.Port}/announce"));
        var rules = new AddressRules { Allowed = [System.Net.IPNetwork.Parse("127.0.0.1/32")] };
        using var clients = Clients(rules);

        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => clients.Open(server.Address("/a")).AnnounceAsync(Announce(Hash(1), 1), default));

        Assert.Equal(FailureKind.Denied, failure.Kind);
        Assert.Empty(inner.Asked);
        await clients.Open(server.Address("/b")).AnnounceAsync(Announce(Hash(1), 1), default);
        Assert.Single(inner.Asked);
    }

    [Theory]
    [InlineData("file:///etc/passwd", FailureKind.Denied)]
    [InlineData("udp://127.0.0.1:1/", FailureKind.Denied)]
    [InlineData("/again", FailureKind.Unavailable)]
    public async Task A_redirect_to_something_else_or_for_ever_ends(string location, FailureKind kind)
    {
        using var server = new ScriptedHttp(_ => ScriptedHttp.Redirect(location));
        using var clients = Clients();

        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => clients.Open(server.Address("/announce")).AnnounceAsync(Announce(Hash(1), 1), default));

        Assert.Equal(kind, failure.Kind);
        Assert.InRange(server.Asked.Count, 1, TrackerLimits.Redirects + 1);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", FailureKind.BadInput)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nle", FailureKind.BadInput)]
    [InlineData("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", FailureKind.Unavailable)]
    [InlineData("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", FailureKind.NotFound)]
    [InlineData("HTTP/1.1 400 No\r\nContent-Length: 23\r\n\r\nd14:failure reason2:noe", FailureKind.Denied)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nd", FailureKind.Unavailable)]
    [InlineData("no HTTP at all\r\n\r\n", FailureKind.Unavailable)]
    public async Task Nonsense_is_a_failure_of_the_right_kind(string answer, FailureKind kind)
    {
        var end = answer.Contains("9000000", StringComparison.Ordinal);
        using var server = new ScriptedHttp(_ => Encoding.ASCII.GetBytes(answer));
        using var clients = Clients();
        using var stop = new CancellationTokenSource();

        var asking = clients.Open(server.Address("/announce")).AnnounceAsync(Announce(Hash(1), 1), stop.Token);
        if (end)
        {
            // The rest never comes: whoever gives up is set free.
            while (server.Asked.IsEmpty) await Task.Yield();
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
            return;
        }

        Assert.Equal(kind, (await Assert.ThrowsAsync<VirgaException>(() => asking)).Kind);
    }

    [Fact]
    public async Task An_answer_without_end_is_cut_off()
    {
        using var server = new ScriptedHttp(_ => ScriptedHttp.Ok(new byte[TrackerLimits.AnswerBytes + 1]));
        using var clients = Clients();

        var failure = await Assert.ThrowsAsync<VirgaException>(
            () => clients.Open(server.Address("/announce")).AnnounceAsync(Announce(Hash(1), 1), default));

        Assert.Equal(FailureKind.BadInput, failure.Kind);
        Assert.Contains("512 KiB", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://a/announce", "http://a/scrape")]
    [InlineData("http://a/x/announce.php?k=1", "http://a/x/scrape.php?k=1")]
    [InlineData("http://a/announce/x", null)]
    [InlineData("http://a/a", null)]
    public void The_scrape_address_follows_BEP_48(string announce, string? scrape) =>
        Assert.Equal(scrape, HttpTracker.ScrapeAddress(new Uri(announce)));

    [Theory]
    [InlineData("udp://a.example:1/announce", true)]
    [InlineData(" https://a.example/announce ", true)]
    [InlineData("wss://a.example/", false)]
    [InlineData("udp://a.example/", false)]
    [InlineData("http://user:word@a.example/", false)]
    [InlineData("announce", false)]
    [InlineData("", false)]
    public void Only_trackers_that_can_be_asked_are_taken(string text, bool isTaken) =>
        Assert.Equal(isTaken, TrackerClients.TryParse(text, out _));
}
