using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Virga.BitTorrent;
using Virga.BitTorrent.Trackers;
using Virga.Core;
using Virga.Repository.Tracker;
using Virga.Testing;

namespace Virga.Repository.Tests.Tracker;

/// <summary>The tracker inside a running repository.</summary>
public sealed class TrackerTests
{
    private const string Python = "/usr/bin/python3";

    /// <summary>
    /// Two libtorrent clients that know a tracker and nothing else: one has a file, the other gets it, and prints
    /// whether it is the same. In processes of their own, since sessions of one share connection ids of UDP trackers.
    /// </summary>
    private const string Script = """
        import os, sys, tempfile, time
        import libtorrent as lt
        tracker, data = sys.argv[1], os.urandom(300_000)
        def session(address):
            return lt.session({'listen_interfaces': address + ':0', 'enable_dht': False, 'enable_lsd': False,
                'enable_upnp': False, 'enable_natpmp': False, 'enable_outgoing_utp': False,
                'allow_multiple_connections_per_ip': True, 'alert_mask': lt.alert.category_t.all_categories})
        def wait(session, ready):
            give_up, told = time.time() + 240, []
            while not ready():
                told += [alert.message() for alert in session.pop_alerts()]
                if time.time() > give_up: sys.exit('\n'.join(told[-99:]))
                time.sleep(0.05)
        with tempfile.TemporaryDirectory() as there, tempfile.TemporaryDirectory() as here:
            with open(there + '/file', 'wb') as f: f.write(data)
            fs = lt.file_storage()
            lt.add_files(fs, there + '/file')
            made = lt.create_torrent(fs, flags=lt.create_torrent.v1_only)
            made.add_tracker(tracker)
            lt.set_piece_hashes(made, there)
            info = lt.torrent_info(lt.bdecode(lt.bencode(made.generate())))
            (ready, is_ready), (end, at_end) = os.pipe(), os.pipe()
            if os.fork() == 0:
                os.close(at_end)
                a = session('127.0.0.1')
                seed = a.add_torrent({'ti': info, 'save_path': there})
                wait(a, lambda: seed.status().is_seeding and seed.status().current_tracker != '')
                os.write(is_ready, b'1')
                os.read(end, 1)
                os._exit(0)
            os.close(is_ready)
            os.read(ready, 1)
            b = session('127.0.0.2')
            leech = b.add_torrent({'ti': info, 'save_path': here})
            wait(b, lambda: leech.status().is_seeding)
            with open(here + '/file', 'rb') as f: print(f.read() == data)
        """;

    [Theory]
    [InlineData("http", "/announce")]
    [InlineData("udp", "/announce")]
    [Trait("Needs", "server")]
    public async Task Stock_clients_find_each_other_through_it(string scheme, string path)
    {
        await using var fixture = await StartAsync();

        var (exit, output, errors) = await PythonAsync(
            Script, $"{scheme}://{fixture.Host.Tracker!.Places[0]}{path}");

        Assert.True(exit == 0 && output.Trim() == "True", $"exit code {exit}\n{output}\n{errors}");
        Assert.Equal(1, fixture.Host.Tracker.Swarms);
    }

    [Theory]
    [InlineData("http")]
    [InlineData("udp")]
    public async Task Our_client_is_answered_over_both_and_counted(string scheme)
    {
        await using var fixture = await StartAsync();
        var random = new Seeded(1).RandomBytes;
        using var clients = new TrackerClients(AddressRules.LocalToo, TimeProvider.System, random, new PeerId(random));
        var hash = new SwarmHash(new byte[20]);
        // What one hears over HTTP, the other hears over UDP: the swarms are the same.
        var places = fixture.Host.Tracker!.Places;
        var first = clients.Open(new Uri($"{(scheme == "udp" ? "http" : "udp")}://{places[0]}/announce"));
        var second = clients.Open(new Uri($"{scheme}://{places[0]}/announce"));

        await first.AnnounceAsync(Announce(1001, 0), default);
        var answer = await second.AnnounceAsync(Announce(1002, 5), default);

        Assert.Equal([new IPEndPoint(IPAddress.Loopback, 1001)], answer.Peers);
        Assert.Equal((1, 1), (answer.Counts.Seeders, answer.Counts.Leechers));
        Assert.Equal(new SwarmCounts(1, 1, 0), (await second.ScrapeAsync([hash], default))[hash]);
        using var control = fixture.ControlClient();
        var metrics = await control.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Contains("virga_tracker_swarms 1", metrics, StringComparison.Ordinal);
        Assert.Contains("virga_tracker_peers 2", metrics, StringComparison.Ordinal);
        var status = await control.GetStringAsync(new Uri("/control/status", UriKind.Relative));
        Assert.Contains($"\"tracker\":{{\"places\":[\"{places[0]}\",", status, StringComparison.Ordinal);

        TrackerAnnounce Announce(ushort port, long left) =>
            new(hash, new PeerId(random), 1, new SwarmPart(port, 0, 0, left), AnnounceEvent.Started, 50);
    }

    [Fact]
    public async Task Over_HTTP_it_takes_IPv6_and_says_what_it_is()
    {
        await using var fixture = await StartAsync();
        using var client = new HttpClient();

        var place = fixture.Host.Tracker!.Places[1];
        var answer = await client.GetByteArrayAsync(
            new Uri($"http://{place}/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=7&left=1"));
        Assert.StartsWith("d8:completei0e10:downloadedi0e10:incompletei1e8:intervali",
            System.Text.Encoding.ASCII.GetString(answer), StringComparison.Ordinal);
        using var other = await client.GetAsync(new Uri($"http://{place}/"));
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
        Assert.Contains("BitTorrent tracker", await other.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var posted = await client.PostAsync(new Uri($"http://{place}/announce"), null);
        Assert.Equal(HttpStatusCode.NotFound, posted.StatusCode);
    }

    [Fact]
    public async Task Nothing_that_is_no_request_stops_it()
    {
        await using var fixture = await StartAsync();
        var place = fixture.Host.Tracker!.Places[0];
        for (ulong seed = 0; seed < 50; seed++)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(place);
            await client.GetStream().WriteAsync(Seeded.Bytes(500, seed));
        }

        await Our_client_is_answered_over_both_and_counted("http");
    }

    [Fact]
    public async Task A_port_that_is_taken_is_said_and_nothing_is_left_open()
    {
        using var other = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var taken = (IPEndPoint)other.Client.LocalEndPoint!;

        var failure = await Assert.ThrowsAsync<VirgaException>(() => StartAsync(taken));

        Assert.Equal(FailureKind.InUse, failure.Kind);
        using var again = new TcpListener(taken);
        again.Start();
    }

    private static Task<Fixture> StartAsync(IPEndPoint? place = null) => Fixture.StartAsync(options => options with
    {
        Tracker = new TrackerOptions
        {
            Listen = place is null
                ? [new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.IPv6Loopback, 0)] : [place],
        },
    });

    private static async Task<(int Exit, string Out, string Error)> PythonAsync(params string[] arguments)
    {
        Assert.True(File.Exists(Python), $"{Python} is missing: run ./test, which installs what the tests need");
        using var python = Process.Start(new ProcessStartInfo(Python, ["-c", .. arguments])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var output = python.StandardOutput.ReadToEndAsync();
        var errors = python.StandardError.ReadToEndAsync();
        await python.WaitForExitAsync();
        return (python.ExitCode, await output, await errors);
    }
}
