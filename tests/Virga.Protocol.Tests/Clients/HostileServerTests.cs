using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Virga.Core;
using Virga.Testing;
using static Virga.Protocol.Tests.Clients.ScriptedServer;
using static Virga.Protocol.Tests.TestPeers;

namespace Virga.Protocol.Tests.Clients;

public sealed class HostileServerTests : IDisposable
{
    private static readonly Hash256 share = Sample.Hash(1), root = Sample.Hash(2);
    private static readonly byte[] content = Sample.Array(3, 100_000);

    private readonly FakeTimeProvider time = new(Now);
    private readonly PeerHttp http;

    public HostileServerTests() => http = new PeerHttp(time, Sample.Random(1));

    public void Dispose() => http.Dispose();

    [Theory]
    [InlineData("lorem ipsum\r\n\r\n")]
    [InlineData("HTTP/9.9 two hundred\r\n\r\n")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("\0\0\0\0\0\0\0\0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    public async Task Garbage_is_told_to_be_garbage(string garbage)
    {
        await using var server = new ScriptedServer(Says(garbage));
        var failure = await FailsAsync(FailureKind.BadInput, () => Client(server).GetPeerAsync(default));
        Assert.Contains(server.Endpoint.Origin, failure.Message);
    }

    [Fact]
    public async Task Answers_that_are_HTTP_but_not_ours_are_bad_input()
    {
        foreach (var body in new[] { "", "hello", "de", "d5:agent3:abce", "le", new string('l', 100) })
        {
            await using var server =
                new ScriptedServer(Answers(_ => Response("200 OK", "", Encoding.ASCII.GetBytes(body))));
            await FailsAsync(FailureKind.BadInput, () => Client(server).GetPeerAsync(default));
        }
    }

    [Fact]
    public async Task A_server_without_TLS_is_unavailable()
    {
        await using var server = new ScriptedServer(Says("HTTP/1.1 200 OK\r\n\r\n"), tls: null);
        await FailsAsync(FailureKind.Unavailable, () => Client(server).GetPeerAsync(default));
    }

    [Fact]
    public async Task A_server_with_old_TLS_only_is_unavailable()
    {
#pragma warning disable CA5398 // That it is old is what the test is about.
        await using var server = new ScriptedServer(Says(""), SslProtocols.Tls12);
#pragma warning restore CA5398
        await FailsAsync(FailureKind.Unavailable, () => Client(server).GetPeerAsync(default));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Nobody_there_is_unavailable()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        var client = Client(new Endpoint(new Uri($"https://127.0.0.1:{port}"), Sample.Hash(1)));
        await FailsAsync(FailureKind.Unavailable, () => client.GetPeerAsync(default));
    }

    [Fact]
    public async Task Another_certificate_than_the_pinned_one_is_denied_before_anything_is_sent()
    {
        await using var server = new ScriptedServer(Says(""));
        var failure =
            await FailsAsync(FailureKind.Denied, () =>
                Client(server.Endpoint with { Certificate = Sample.Hash(9) }).GetPeerAsync(default));
        Assert.Contains("another certificate", failure.Message);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_self_signed_certificate_without_a_pin_is_denied_before_anything_is_sent()
    {
        await using var server = new ScriptedServer(Says(""));
        var failure =
            await FailsAsync(FailureKind.Denied, () =>
                Client(server.Endpoint with { Certificate = null }).GetPeerAsync(default));
        Assert.Contains("public authorities", failure.Message);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Endless_headers_are_cut_off()
    {
        long sent = 0;
        await using var server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\n"u8.ToArray());
            var line = Encoding.ASCII.GetBytes("X-More: " + new string('x', 1_000) + "\r\n");
            for (; sent < 1L << 30; sent += line.Length) await stream.WriteAsync(line);
            return false;
        });
        await FailsAsync(FailureKind.BadInput, () => Client(server).GetPeerAsync(default));
        Assert.InRange(sent, 0, 64 << 20);
    }

    [Fact]
    public async Task An_endless_line_of_a_header_is_cut_off()
    {
        long sent = 0;
        await using var server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nX-More: "u8.ToArray());
            for (var part = new byte[4_096].Select(_ => (byte)'x').ToArray(); sent < 1L << 30; sent += part.Length)
                await stream.WriteAsync(part);
            return false;
        });
        await FailsAsync(FailureKind.BadInput, () => Client(server).GetPeerAsync(default));
        Assert.InRange(sent, 0, 64 << 20);
    }

    [Theory]
    [InlineData("200 OK")]
    [InlineData("403 Forbidden")]
    public async Task An_endless_body_is_cut_off(string status)
    {
        long sent = 0;
        await using var server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync(
                Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n"));
            var chunk = Encoding.ASCII.GetBytes("1000\r\n" + new string('x', 0x1000) + "\r\n");
            for (; sent < 1L << 30; sent += chunk.Length) await stream.WriteAsync(chunk);
            return false;
        });
        await FailsAsync(status[0] == '2' ? FailureKind.BadInput : FailureKind.Denied, () =>
            Client(server).GetPeerAsync(default));
        Assert.InRange(sent, 0, 64 << 20);
    }

    [Fact]
    public async Task A_body_that_claims_to_be_huge_is_refused_without_memory_for_it()
    {
        await using var server = new ScriptedServer(Says("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nabc"));
        await FailsAsync(FailureKind.BadInput, () => Client(server).GetPeerAsync(default));

        // Within the bound of an info dict, but it never comes: what is allocated follows what has come.
        await using var liar = new ScriptedServer(Says("HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\nabc"));
        var before = GC.GetTotalAllocatedBytes(precise: true);
        await FailsAsync(FailureKind.Unavailable, () => Client(liar).GetInfoAsync(share, "b", default));
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 64 << 20);
    }

    [Theory]
    [InlineData("302 Found")]
    [InlineData("307 Temporary Redirect")]
    public async Task A_redirect_is_refused_and_not_followed(string status)
    {
        await using var other = new ScriptedServer(Says(""));
        await using var server =
            new ScriptedServer(Answers(_ => Response(status, $"Location: {other.Url}v1/peer\r\n", [])));
        await FailsAsync(FailureKind.BadInput, () => Client(server).GetPeerAsync(default));
        Assert.Equal(0, other.Connections);
    }

    [Theory]
    [InlineData("200 OK", "")]
    [InlineData("204 No Content", "Content-Range: bytes 10-1009/100000\r\n")]
    [InlineData("206 Partial Content", "")]
    [InlineData("206 Partial Content", "Content-Range: bytes 0-999/100000\r\n")]
    [InlineData("206 Partial Content", "Content-Range: bytes 10-1010/100000\r\n")]
    [InlineData("206 Partial Content", "Content-Range: items 10-1009/100000\r\n")]
    [InlineData("206 Partial Content", "Content-Range: bytes */100000\r\n")]
    [InlineData("206 Partial Content", "Content-Range: rubbish\r\n")]
    public async Task An_answer_to_a_range_that_is_not_exactly_that_range_is_refused(string status, string headers)
    {
        await using var server = new ScriptedServer(Answers(_ => Response(status, headers, content[10..1_010])));
        var failure = await FailsAsync(FailureKind.BadInput, () => ReadAsync(Client(server), 10, 1_000));
        Assert.Contains(server.Endpoint.Origin, failure.Message);
    }

    [Theory]
    [InlineData(999)]
    [InlineData(1_001)]
    [InlineData(0)]
    public async Task A_range_with_a_body_of_another_length_is_refused(int length)
    {
        await using var server = new ScriptedServer(Answers(_ =>
            Response("206 Partial Content", "Content-Range: bytes 10-1009/100000\r\n", content[10..(10 + length)])));
        await FailsAsync(FailureKind.BadInput, () => ReadAsync(Client(server), 10, 1_000));
    }

    [Fact]
    public async Task A_range_without_a_length_is_refused()
    {
        await using var server = new ScriptedServer(Says(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/9\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "5\r\nabcde\r\n0\r\n\r\n"));
        await FailsAsync(FailureKind.BadInput, () => ReadAsync(Client(server), 0, 5));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(49_999)]
    public async Task A_range_that_is_cut_in_the_middle_is_unavailable(int sent)
    {
        await using var server = new ScriptedServer(Says(
            [.. Encoding.ASCII.GetBytes(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-49999/100000\r\nContent-Length: 50000\r\n\r\n"),
                    .. content[..sent]]));
        await FailsAsync(FailureKind.Unavailable, () => ReadAsync(Client(server), 0, 50_000));
    }

    [Fact]
    public async Task Bytes_behind_an_answer_do_not_get_into_the_next_one()
    {
        await using var server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync(
                (byte[])[.. Response("206 Partial Content", "Content-Range: bytes 0-9/100000\r\n", content[..10]),
                .. Response("206 Partial Content", "Content-Range: bytes 0-9/100000\r\n", new byte[10])]);
            return true;
        });
        var client = Client(server);
        for (var i = 0; i < 3; i++) Assert.Equal(content[..10], await ReadAsync(client, 0, 10));
    }

    [Fact]
    public async Task A_stall_before_the_headers_ends_after_thirty_seconds()
    {
        var asked = new TaskCompletionSource();
        ScriptedServer? server = null;
        await using var _ = server = new ScriptedServer(async (_, _) =>
        {
            asked.SetResult();
            await Task.Delay(Timeout.Infinite, server!.Stopping);
            return false;
        });
        var read = ReadAsync(Client(server), 0, 10);
        await asked.Task;
        time.Advance(TimeSpan.FromSeconds(29.9));
        Assert.False(read.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.1));
        var failure = await FailsAsync(FailureKind.Timeout, () => read);
        Assert.Contains("30 s", failure.Message);
    }

    [Fact]
    public async Task A_stall_in_the_body_ends_thirty_seconds_after_the_last_leaf()
    {
        var arrived = new TaskCompletionSource();
        ScriptedServer? server = null;
        await using var _ = server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync(RangeHead(0, 50_000));
            await stream.WriteAsync(content.AsMemory(0, 20_000));
            await Task.Delay(Timeout.Infinite, server!.Stopping);
            return false;
        });
        var read = Client(server).ReadRangeAsync(share, root, 0, new byte[50_000], "b", filled =>
        {
            if (filled == 20_000) arrived.TrySetResult();
        }, default);
        await arrived.Task;
        time.Advance(TimeSpan.FromSeconds(29.9));
        Assert.False(read.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        await FailsAsync(FailureKind.Timeout, () => read);
    }

    [Fact]
    public async Task A_byte_now_and_then_is_no_progress()
    {
        ScriptedServer? server = null;
        using var next = new SemaphoreSlim(1);
        await using var _ = server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync(RangeHead(0, 50_000));
            for (var i = 0; i < 50_000; i++)
            {
                await next.WaitAsync(server!.Stopping);
                await stream.WriteAsync(content.AsMemory(i, 1));
            }
            return true;
        });
        var most = 0;
        var failure =
            await FailsAsync(FailureKind.Timeout, () =>
                Client(server).ReadRangeAsync(share, root, 0, new byte[50_000], "b", filled =>
        {
            most = filled;
            time.Advance(TimeSpan.FromSeconds(10));
            next.Release();
        }, default));
        Assert.InRange(most, 1, 4);
    }

    [Fact]
    public async Task Slow_progress_is_progress()
    {
        using var next = new SemaphoreSlim(1);
        await using var server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync(RangeHead(0, 100_000));
            for (var i = 0; i < 5; i++)
            {
                await next.WaitAsync();
                await stream.WriteAsync(content.AsMemory(i * 20_000, 20_000));
            }
            return true;
        });
        var buffer = new byte[100_000];
        await Client(server).ReadRangeAsync(share, root, 0, buffer, "b", filled =>
        {
            if (filled % 20_000 != 0) return;
            time.Advance(TimeSpan.FromSeconds(29));
            next.Release();
        }, default);
        Assert.Equal(content, buffer);
    }

    [Fact]
    public async Task Who_cancels_gets_a_cancellation_and_no_failure()
    {
        var asked = new TaskCompletionSource();
        ScriptedServer? server = null;
        await using var _ = server = new ScriptedServer(async (_, _) =>
        {
            asked.SetResult();
            await Task.Delay(Timeout.Infinite, server!.Stopping);
            return false;
        });
        using var cancel = new CancellationTokenSource();
        var read = Client(server).ReadRangeAsync(share, root, 0, new byte[10], "b", null, cancel.Token);
        await asked.Task;
        await cancel.CancelAsync();
        var cancelled = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        Assert.Equal(cancel.Token, cancelled.CancellationToken);
    }

    private static byte[] RangeHead(int offset, int length) => Encoding.ASCII.GetBytes(
        $"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {offset}-{offset + length - 1}/100000\r\n"
        + $"Content-Length: {length}\r\n\r\n");

    private AgentClient Client(ScriptedServer server) => Client(server.Endpoint);

    private AgentClient Client(Endpoint endpoint) => new(http, endpoint, Alice, () => []);

    private static async Task<byte[]> ReadAsync(AgentClient client, long offset, int length)
    {
        var buffer = new byte[length];
        await client.ReadRangeAsync(share, root, offset, buffer, "bearer", null, default);
        return buffer;
    }

    private static async Task<VirgaException> FailsAsync(FailureKind kind, Func<Task> action)
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(() => action().WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.True(kind == failure.Kind, $"{failure.Kind}: {failure}");
        Assert.False(string.IsNullOrEmpty(failure.Advice), $"no advice in: {failure.Message}");
        return failure;
    }
}
