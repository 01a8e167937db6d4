using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Virga.Core;
using Virga.Protocol;

namespace Virga.Hosting.Tests;

public sealed class PeerServerTests
{
    [Fact]
    public async Task A_peer_says_who_it_is_over_both_versions_of_http()
    {
        await using var fixture = await Fixture.StartAsync();
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using var client = fixture.Client(version);
            using var response = await client.GetAsync("/v1/peer");
            Assert.Equal(version, response.Version);
            var peer = PeerInfo.Parse(await response.Content.ReadAsByteArrayAsync());
            Assert.Equal(fixture.Keys.Id, peer.Agent);
            Assert.Equal(PeerInfo.RepositoryKind, peer.Kind);
            Assert.Equal(fixture.Time.GetUtcNow(), peer.Now);
            Assert.False(response.Headers.Contains("Server"));
        }
    }

    [Fact]
    public async Task Tls_is_1_3_with_the_cheapest_cipher_first_and_the_pinned_certificate()
    {
        await using var fixture = await Fixture.StartAsync();
        var url = fixture.Server.Endpoint.Url;
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(url.Host, url.Port);
        await using var tls = new SslStream(tcp.GetStream(), false, (_, certificate, _, _) =>
            new Hash256(SHA256.HashData(certificate!.GetRawCertData())) == fixture.Server.Endpoint.Certificate);
        await tls.AuthenticateAsClientAsync("anything");
        Assert.Equal(SslProtocols.Tls13, tls.SslProtocol);
        Assert.Equal(TlsCipherSuite.TLS_AES_128_GCM_SHA256, tls.NegotiatedCipherSuite);
    }

    [Fact]
    public async Task Older_tls_is_refused()
    {
        await using var fixture = await Fixture.StartAsync();
        var url = fixture.Server.Endpoint.Url;
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(url.Host, url.Port);
        await using var tls = new SslStream(tcp.GetStream(), false, (_, _, _, _) => true);
        await Assert.ThrowsAnyAsync<Exception>(() => tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = "x", EnabledSslProtocols = SslProtocols.Tls12 }));
    }

    [Fact]
    public async Task The_certificate_and_the_identity_are_the_same_after_a_restart()
    {
        var folder = Some.Folder();
        try
        {
            Hash256? certificate;
            AgentId id;
            await using (var first = await Fixture.StartAsync(folder: folder))
                (certificate, id) = (first.Server.Endpoint.Certificate, first.Keys.Id);
            await using var second = await Fixture.StartAsync(folder: folder);
            Assert.NotNull(certificate);
            Assert.Equal(certificate, second.Server.Endpoint.Certificate);
            Assert.Equal(id, second.Keys.Id);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_port_in_use_is_named_with_what_to_do()
    {
        await using var fixture = await Fixture.StartAsync();
        var port = fixture.Server.Endpoint.Url.Port;
        var failure = await Assert.ThrowsAsync<VirgaException>(() =>
            Fixture.StartAsync(change: options => options with { Listen = new IPEndPoint(IPAddress.Loopback, port) }));
        Assert.Equal(FailureKind.InUse, failure.Kind);
        Assert.Contains($"port {port}", failure.Message, StringComparison.Ordinal);
        Assert.Contains("another port", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_is_not_ours_is_refused()
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(() =>
            Fixture.StartAsync(change: options =>
                options with { Listen = new IPEndPoint(IPAddress.Parse("192.0.2.1"), 0) }));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
    }

    [Fact]
    public async Task A_control_socket_path_that_is_too_long_is_refused_with_advice()
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(() =>
            Fixture.StartAsync(change: options => options with { ControlSocket = "/tmp/" + new string('x', 120) }));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
        Assert.Contains("shorter", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Control_endpoints_are_never_reached_over_the_network()
    {
        var reached = 0;
        await using var fixture = await Fixture.StartAsync(routes => routes.Control("GET", "/control/secret", context =>
        {
            reached++;
            return context.Response.WriteAsync("secret");
        }));
        string[] paths =
        [
            "/control/secret", "/control//secret", "/CONTROL/secret", "/control/secret/", "/control/health", "/metrics",
            "/v1/../control/secret",
        ];
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using var client = fixture.Client(version);
            foreach (var path in paths)
            {
                foreach (var host in new[] { null, "localhost", "control" })
                {
                    using var request = new HttpRequestMessage(HttpMethod.Get, path);
                    if (host is not null) request.Headers.Host = host;
                    request.Headers.TryAddWithoutValidation("X-Forwarded-For", "unix");
                    using var response = await client.SendAsync(request);
                    Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
                    Assert.Equal(ErrorCode.NotFound, (await Fixture.ErrorOf(response)).Code);
                }
            }
        }

        Assert.Equal(0, reached);
        using var control = fixture.ControlClient();
        Assert.Equal("secret", await control.GetStringAsync("/control/secret"));
        Assert.Equal("ok\n", await control.GetStringAsync("/health"));
    }

    [Fact]
    public async Task Network_endpoints_are_not_answered_over_the_control_socket_and_its_failures_are_json()
    {
        await using var fixture = await Fixture.StartAsync(routes => routes.Control("GET", "/control/full", _ =>
            throw new VirgaException(FailureKind.Full, "no room", "Make room.")));
        using var control = fixture.ControlClient();
        using var missing = await control.GetAsync("/v1/peer");
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        using var full = await control.GetAsync("/control/full");
        Assert.Equal(507, (int)full.StatusCode);
        var json = JsonDocument.Parse(await full.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal("Full", json.GetProperty("kind").GetString());
        Assert.Equal("no room", json.GetProperty("message").GetString());
        Assert.Equal("Make room.", json.GetProperty("advice").GetString());
    }

    [Fact]
    public async Task The_control_socket_is_for_its_owner_only_and_gone_after_the_stop()
    {
        var fixture = await Fixture.StartAsync();
        var path = fixture.ControlSocket;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        await fixture.DisposeAsync();
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task A_control_socket_left_by_a_killed_process_is_no_hindrance()
    {
        var folder = Some.Folder();
        try
        {
            using (var stale = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
                stale.Bind(new UnixDomainSocketEndPoint(Path.Combine(folder, "control.sock")));
            await using var fixture = await Fixture.StartAsync(folder: folder);
            using var control = fixture.ControlClient();
            Assert.Equal("ok\n", await control.GetStringAsync("/health"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_bug_tells_nothing_but_a_reference_that_stands_in_the_log()
    {
        await using var fixture = await Fixture.StartAsync(routes =>
            routes.Public("GET", "/v1/bug", _ => throw new InvalidOperationException("password=hunter2")));
        using var client = fixture.Client();
        using var response = await client.GetAsync("/v1/bug");
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal(ErrorCode.Internal, (await Fixture.ErrorOf(response)).Code);
        var text = Encoding.UTF8.GetString(await response.Content.ReadAsByteArrayAsync());
        Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal);
        var reference = System.Text.RegularExpressions.Regex.Match(text, "reference ([0-9a-f]{12})").Groups[1].Value;
        Assert.Equal(12, reference.Length);
        Assert.Contains(reference, fixture.Log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_fails_midway_is_cut_not_ended()
    {
        await using var fixture = await Fixture.StartAsync(routes => routes.Public("GET", "/v1/half", async context =>
        {
            context.Response.ContentLength = 10;
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            throw new VirgaException(FailureKind.Changed, "it changed");
        }));
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using var client = fixture.Client(version);
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetByteArrayAsync("/v1/half"));
        }
    }

    [Fact]
    public async Task A_streamed_answer_has_exactly_the_bytes_that_were_made()
    {
        var data = Some.Bytes(1, 1_000_003);
        await using var fixture = await Fixture.StartAsync(routes => routes.Public("GET", "/v1/blob", context =>
        {
            var at = 0;
            return context.AnswerStreamAsync(206, "application/octet-stream", data.Length, (memory, _) =>
            {
                // Sizes that fit no buffer, so that every boundary is met.
                var count = Math.Min(memory.Length, 1 + (at % 70_001));
                data.AsSpan(at, count).CopyTo(memory.Span);
                at += count;
                return ValueTask.FromResult(count);
            });
        }, RequestClass.Read));
        foreach (var version in new[] { HttpVersion.Version11, HttpVersion.Version20 })
        {
            using var client = fixture.Client(version);
            using var response = await client.GetAsync("/v1/blob");
            Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
            Assert.Equal(data, await response.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task A_streamed_answer_that_fails_is_cut()
    {
        await using var fixture = await Fixture.StartAsync(routes => routes.Public("GET", "/v1/blob", context =>
        {
            var made = 0;
            return context.AnswerStreamAsync(206, "application/octet-stream", 1_000_000, (memory, _) =>
                made++ < 5
                    ? ValueTask.FromResult(memory.Length)
                    : throw new VirgaException(FailureKind.Changed, "the entry changed"));
        }));
        using var client = fixture.Client();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetByteArrayAsync("/v1/blob"));
    }

    [Fact]
    public async Task A_receiver_that_goes_away_ends_the_stream()
    {
        var ended = new TaskCompletionSource();
        await using var fixture = await Fixture.StartAsync(
            routes => routes.Public("GET", "/v1/endless", async context =>
        {
            try
            {
                await context.AnswerStreamAsync(
                    200, "application/octet-stream", long.MaxValue, (memory, _) => ValueTask.FromResult(memory.Length));
            }
            finally
            {
                ended.SetResult();
            }
        }));
        using (var client = fixture.Client())
        {
            using var response = await client.GetAsync("/v1/endless", HttpCompletionOption.ResponseHeadersRead);
            await using var stream = await response.Content.ReadAsStreamAsync();
            await stream.ReadExactlyAsync(new byte[100_000]);
        }

        await ended.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Endless_headers_are_refused()
    {
        await using var fixture = await Fixture.StartAsync();
        using var client = fixture.Client();
        using var many = new HttpRequestMessage(HttpMethod.Get, "/v1/peer");
        for (var i = 0; i < 65; i++) many.Headers.Add($"X-{i}", "x");
        using var refusedMany = await client.SendAsync(many);
        Assert.Equal(HttpStatusCode.RequestHeaderFieldsTooLarge, refusedMany.StatusCode);
        using var large = new HttpRequestMessage(HttpMethod.Get, "/v1/peer");
        for (var i = 0; i < 40; i++) large.Headers.Add($"X-{i}", new string('x', 1000));
        using var refusedLarge = await client.SendAsync(large);
        Assert.Equal(HttpStatusCode.RequestHeaderFieldsTooLarge, refusedLarge.StatusCode);
    }

    [Fact]
    public async Task Ten_thousand_headers_on_a_raw_connection_end_the_connection()
    {
        await using var fixture = await Fixture.StartAsync();
        var url = fixture.Server.Endpoint.Url;
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(url.Host, url.Port);
        await using var tls = new SslStream(tcp.GetStream(), false, (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync("x");
        var sent = 0;
        try
        {
            await tls.WriteAsync("GET /v1/peer HTTP/1.1\r\nHost: x\r\n"u8.ToArray());
            for (; sent < 10_000; sent++)
                await tls.WriteAsync(Encoding.ASCII.GetBytes($"X-{sent}: {new string('y', 200)}\r\n"));
        }
        catch (IOException)
        {
        }

        var buffer = new byte[4096];
        var answer = new StringBuilder();
        try
        {
            int read;
            while ((read = await tls.ReadAsync(buffer)) > 0) answer.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }
        catch (IOException)
        {
        }

        Assert.True(sent < 10_000 || answer.ToString().Contains("431", StringComparison.Ordinal));
        using var client = fixture.Client();
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/v1/peer")).StatusCode);
    }

    [Fact]
    public async Task Health_is_200_while_ready_and_503_when_not()
    {
        var ready = true;
        await using var fixture = await Fixture.StartAsync(change: options => options with { IsReady = () => ready });
        using var client = fixture.Client();
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/health")).StatusCode);
        ready = false;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.GetAsync("/health/ready")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/health/live")).StatusCode);
    }

    [Fact]
    public async Task Metrics_are_text_on_the_control_socket()
    {
        await using var fixture = await Fixture.StartAsync();
        using var client = fixture.Client();
        await client.GetAsync("/v1/peer");
        using var control = fixture.ControlClient();
        var text = await control.GetStringAsync("/metrics");
        Assert.Contains("# TYPE virga_requests_seconds histogram\n", text, StringComparison.Ordinal);
        Assert.Contains("virga_requests_seconds_count{listener=\"Network\"} ", text, StringComparison.Ordinal);
        Assert.Contains("virga_connections ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_flood_is_refused_with_the_time_to_wait_and_served_again_after_it()
    {
        await using var fixture = await Fixture.StartAsync(change: options =>
            options with { Limits = new PeerLimits { Address = new RequestRate(PerSecond: 2, Burst: 10) } });
        using var client = fixture.Client();
        for (var i = 0; i < 10; i++) Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/v1/peer")).StatusCode);
        using var refused = await client.GetAsync("/v1/peer");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter!.Delta);
        var error = await Fixture.ErrorOf(refused);
        Assert.Equal(ErrorCode.Throttled, error.Code);
        Assert.Contains("too many requests", error.Message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await client.GetAsync("/nowhere")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/health/live")).StatusCode);
        fixture.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/v1/peer")).StatusCode);
    }

    [Fact]
    public async Task Too_many_connections_of_one_address_are_closed_and_the_control_socket_stays_open()
    {
        await using var fixture = await Fixture.StartAsync(change: options =>
            options with { Limits = new PeerLimits { ConnectionsPerAddressMax = 2 } });
        using var first = fixture.Client();
        using var second = fixture.Client();
        await first.GetAsync("/v1/peer");
        await second.GetAsync("/v1/peer");
        using var third = fixture.Client();
        await Assert.ThrowsAsync<HttpRequestException>(() => third.GetAsync("/v1/peer"));
        using var control = fixture.ControlClient();
        Assert.Equal("ok\n", await control.GetStringAsync("/health"));
    }

    [Fact]
    public async Task A_stop_cuts_an_answer_that_does_not_end_within_the_bound()
    {
        var begun = new TaskCompletionSource();
        var fixture = await Fixture.StartAsync(
            routes => routes.Public("GET", "/v1/never", async context =>
            {
                begun.SetResult();
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }),
            options => options with { Limits = new PeerLimits { Drain = TimeSpan.FromSeconds(5) } });
        using var client = fixture.Client();
        var answer = client.GetStringAsync("/v1/never");
        await begun.Task;
        var stopping = fixture.DisposeAsync().AsTask();
        Assert.False(stopping.IsCompleted);
        fixture.Time.Advance(TimeSpan.FromSeconds(5));
        await stopping.WaitAsync(TimeSpan.FromSeconds(30));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => answer);
    }

    [Fact]
    public async Task An_answer_without_an_end_can_listen_for_the_stop()
    {
        var begun = new TaskCompletionSource();
        var fixture = await Fixture.StartAsync(routes => routes.Control("GET", "/control/watch", async context =>
        {
            begun.SetResult();
            var stopped = new TaskCompletionSource();
            await using var registration = context.ServerStopping().Register(stopped.SetResult);
            await stopped.Task;
            await context.Response.WriteAsync("bye");
        }));
        using var control = fixture.ControlClient();
        var answer = control.GetStringAsync("/control/watch");
        await begun.Task;
        await fixture.DisposeAsync();
        Assert.Equal("bye", await answer);
    }

    [Fact]
    public async Task The_control_socket_takes_bodies_that_the_network_may_not_send()
    {
        await using var fixture = await Fixture.StartAsync(
            routes => routes.Control("POST", "/control/large", async context =>
        {
            var body = await context.ReadBodyAsync(4 << 20, context.RequestAborted);
            await context.Response.WriteAsync($"{body.Length}");
        }));
        using var control = fixture.ControlClient();
        using var response = await control.PostAsync("/control/large", new ByteArrayContent(new byte[3 << 20]));
        Assert.Equal($"{3 << 20}", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_stop_lets_a_running_answer_end()
    {
        var begun = new TaskCompletionSource();
        var finish = new TaskCompletionSource();
        var fixture = await Fixture.StartAsync(routes => routes.Public("GET", "/v1/slow", async context =>
        {
            begun.SetResult();
            await finish.Task;
            await context.Response.WriteAsync("whole");
        }));
        using var client = fixture.Client();
        var answer = client.GetStringAsync("/v1/slow");
        await begun.Task;
        var stopping = fixture.DisposeAsync().AsTask();
        finish.SetResult();
        Assert.Equal("whole", await answer);
        await stopping;
    }
}
