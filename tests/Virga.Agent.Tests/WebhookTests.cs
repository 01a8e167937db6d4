using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Virga.Agent.Control;
using Virga.Agent.Notices;
using Virga.Agent.State;
using Virga.Core;
using Virga.Storage;
using Virga.Testing;

namespace Virga.Agent.Tests;

public sealed class WebhookTests
{
    [Fact]
    public async Task The_end_of_a_transfer_is_told_signed_and_once()
    {
        await using var network = await Network.StartAsync();
        using var receiver = new Receiver();
        var a = await network.AgentAsync("a");
        var b = await network.AgentAsync("b");
        await File.WriteAllTextAsync(Path.Combine(network.Folder("from/share"), "file"), "hello");
        await a.AddAccountAsync("disk", network.Folder("from"));
        await b.AddAccountAsync("disk", network.Folder("to"));
        var link = (await a.ShareAsync("disk", "share", "link")).Link;
        var added = await AddAsync(b, receiver.Url + "?token=hidden");
        using (var tested = await b.SendAsync(HttpMethod.Post, $"/control/webhooks/{added.Id}/test"))
            Assert.Equal(HttpStatusCode.NoContent, tested.StatusCode);
        var got = await b.GetAsync(link, "disk", "got");
        Assert.Equal(TransferState.Completed, got.State);
        await b.GetAsync(link, "disk", "got");

        var told = await receiver.TakeAsync(3);
        Assert.Equal(
            ["webhook.test", "transfer.completed", "transfer.failed"],
            told.Select(t => t.Json.GetProperty("type").GetString()));
        foreach (var message in told) message.Check(added.Secret);
        Assert.Equal(3, told.Select(t => t.Id).Distinct().Count());
        var data = told[1].Json.GetProperty("data");
        Assert.Equal(got.Id, data.GetProperty("id").GetString());
        Assert.Equal((1, 5), (data.GetProperty("files").GetInt32(), data.GetProperty("bytes").GetInt32()));
        Assert.Contains(
            "exist", told[2].Json.GetProperty("data").GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(told, t => t.Json.GetRawText().Contains("virga:", StringComparison.Ordinal));

        var listed = Assert.Single(await b.GetAsync("/control/webhooks", ControlJson.Default.ListWebhookInfo));
        Assert.DoesNotContain("hidden", listed.Url, StringComparison.Ordinal);
        Assert.Null(listed.Problem);
        foreach (var file in Directory.GetFiles(network.PathOf("agent-b"), "agent.db*"))
            Assert.DoesNotContain("hidden", await ReadSharedAsync(file), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_that_was_not_taken_is_told_again_in_order_and_over_a_restart()
    {
        using var receiver = new Receiver { Status = 503 };
        var time = new FakeTimeProvider();
        using var folder = new Folder();
        long id;
        {
            await using var place = new Place(folder.Path, time);
            id = (await place.Webhooks.AddAsync(new WebhookRequest(receiver.Url, []), default)).Id;
            await place.TellAsync("transfer.completed", "one");
            await place.TellAsync("transfer.failed", "two");
            using var stop = new CancellationTokenSource();
            var running = place.Webhooks.RunAsync(stop.Token);
            await receiver.TakeAsync(1);
            await UntilAsync(async () => (await place.Webhooks.DescribeAsync(default))[0].Problem is not null);
            var hook = Assert.Single(await place.Webhooks.DescribeAsync(default));
            Assert.Equal((2, "it answered 503"), (hook.Waiting, hook.Problem));
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        }
        receiver.Status = 204;
        time.Advance(TimeSpan.FromSeconds(6));
        await using var again = new Place(folder.Path, time);
        await again.Webhooks.LoadAsync(default);
        using var end = new CancellationTokenSource();
        var going = again.Webhooks.RunAsync(end.Token);
        var told = await receiver.TakeAsync(2);
        Assert.Equal(
            ["one", "two"], told.Select(t => t.Json.GetProperty("data").GetProperty("name").GetString()));
        await UntilAsync(async () => (await again.Webhooks.DescribeAsync(default))[0].Waiting == 0);
        Assert.Null((await again.Webhooks.DescribeAsync(default))[0].Problem);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => going);
    }

    [Fact]
    public async Task It_is_given_up_after_a_day_and_a_receiver_that_is_gone_is_forgotten()
    {
        using var receiver = new Receiver { Status = 500 };
        var time = new FakeTimeProvider();
        using var folder = new Folder();
        await using var place = new Place(folder.Path, time);
        await place.Webhooks.AddAsync(new WebhookRequest(receiver.Url, ["transfer.failed"]), default);
        await place.TellAsync("transfer.completed", "not wanted");
        await place.TellAsync("transfer.failed", "lost");
        using var stop = new CancellationTokenSource();
        var running = Task.CompletedTask;
        // Time goes just to the next try: what begins while it passes must not find that it is late already.
        TimeSpan[] pauses =
        [
            TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2),
            TimeSpan.FromHours(5), TimeSpan.FromHours(10), TimeSpan.FromHours(10),
        ];
        for (var tries = 1; tries <= 8; tries++)
        {
            receiver.Status = 500 + tries;
            if (tries > 1) time.Advance(pauses[tries - 2]);
            else running = place.Webhooks.RunAsync(stop.Token);
            var message = Assert.Single(await receiver.TakeAsync(1));
            Assert.Equal("lost", message.Json.GetProperty("data").GetProperty("name").GetString());
            // Its next try is recorded, and somebody waits for it, before time goes on.
            var told = $"it answered {receiver.Status}";
            await UntilAsync(async () => (await place.Webhooks.DescribeAsync(default))[0].Problem == told);
            if (tries < 8) await UntilAsync(() => Task.FromResult(time.TimersWaiting == 1));
        }
        await UntilAsync(async () => (await place.Webhooks.DescribeAsync(default))[0].Waiting == 0);
        receiver.Status = 410;
        await place.TellAsync("transfer.failed", "gone");
        await receiver.TakeAsync(1);
        await UntilAsync(async () => (await place.Webhooks.DescribeAsync(default)).Count == 0);
        Assert.Empty(receiver.Left);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Theory]
    [InlineData("", "no URL")]
    [InlineData("ftp://example.org", "no URL")]
    [InlineData("http://example.org/hook", "can be read on the way")]
    [InlineData("http://10.0.0.1/hook", "can be read on the way")]
    [InlineData("https://user:secret@example.org/hook", "no user")]
    [InlineData("https://example.org/hook#part", "no fragment")]
    public async Task What_can_not_be_told_safely_is_refused(string url, string says)
    {
        using var folder = new Folder();
        await using var place = new Place(folder.Path, new FakeTimeProvider());
        var refused = await Assert.ThrowsAsync<VirgaException>(
            () => place.Webhooks.AddAsync(new WebhookRequest(url, []), default));
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_that_there_is_not_is_refused_by_name()
    {
        using var folder = new Folder();
        await using var place = new Place(folder.Path, new FakeTimeProvider());
        var refused = await Assert.ThrowsAsync<VirgaException>(
            () => place.Webhooks.AddAsync(new WebhookRequest("https://example.org", ["transfer.done"]), default));
        Assert.Contains("transfer.done", refused.Message, StringComparison.Ordinal);
        Assert.Contains("transfer.completed", refused.Advice, StringComparison.Ordinal);
        await place.Webhooks.AddAsync(new WebhookRequest("https://example.org", ["transfer"]), default);
    }

    /// <summary>The example of the Standard Webhooks specification's reference libraries.</summary>
    [Fact]
    public void Signatures_are_those_of_the_standard() => Assert.Equal(
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        Webhooks.Sign(
            Convert.FromBase64String("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
            Encoding.UTF8.GetBytes("""{"test": 2432232314}""")));

    private static Task<WebhookAdded> AddAsync(TestAgent agent, string url) => agent.PostAsync(
        "/control/webhooks", new WebhookRequest(url, []), ControlJson.Default.WebhookRequest,
        ControlJson.Default.WebhookAdded);

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var tries = 0; !await isSo(); tries++)
        {
            Assert.True(tries < 2_000, "it never came to be");
            await Task.Delay(10);
        }
    }

    private static async Task<string> ReadSharedAsync(string path)
    {
        await using var file = new FileStream(
            path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file, Encoding.Latin1);
        return await reader.ReadToEndAsync();
    }

    private sealed class Folder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("virga-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }

    /// <summary>Webhooks over an agent's state.</summary>
    private sealed class Place : IAsyncDisposable
    {
        private readonly DataFolder folder;
        private readonly DataKey key;
        private readonly AgentState state;

        public Place(string path, TimeProvider time)
        {
            folder = DataFolder.Open(path);
            key = new DataKey(new byte[DataKey.KeyBytes]);
            state = AgentState.Open(folder, key, RandomNumberGenerator.Fill);
            Webhooks = new Webhooks(new WebhookTable(state), time, RandomNumberGenerator.Fill, _ => { });
        }

        public Webhooks Webhooks { get; }

        public async Task TellAsync(string type, string name)
        {
            if (Webhooks.Record(type, json => json.WriteString("name", name)) is not { } record) return;
            await state.Database.WriteAsync(record, CancellationToken.None);
            Webhooks.Wake();
        }

        public async ValueTask DisposeAsync()
        {
            Webhooks.Dispose();
            await state.DisposeAsync();
            key.Dispose();
            folder.Dispose();
        }
    }

    private sealed record Message(string Id, string Timestamp, string Signature, byte[] Body)
    {
        public JsonElement Json { get; } = JsonDocument.Parse(Body).RootElement;

        public void Check(string secret)
        {
            Assert.StartsWith("whsec_", secret, StringComparison.Ordinal);
            var key = Convert.FromBase64String(secret["whsec_".Length..]);
            byte[] signed = [.. Encoding.UTF8.GetBytes($"{Id}.{Timestamp}."), .. Body];
            var hash = HMACSHA256.HashData(key, signed);
            Assert.Equal("v1," + Convert.ToBase64String(hash), Signature);
        }
    }

    /// <summary>A web server that takes, or refuses, what it is told.</summary>
    private sealed class Receiver : IDisposable
    {
        private readonly HttpListener listener = new();
        private readonly BlockingCollection<Message> messages = [];

        public Receiver()
        {
            using (var probe = new TcpListener(IPAddress.Loopback, 0))
            {
                probe.Start();
                Url = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/hook";
            }
            listener.Prefixes.Add(Url + "/");
            listener.Start();
            _ = ServeAsync();
        }

        public string Url { get; }

        public int Status { get; set; } = 200;

        public IEnumerable<Message> Left => messages;

        public Task<List<Message>> TakeAsync(int count) => Task.Run(() =>
        {
            var taken = new List<Message>();
            for (var i = 0; i < count; i++)
            {
                Assert.True(messages.TryTake(out var message, TimeSpan.FromSeconds(60)), "nothing was told");
                taken.Add(message);
            }
            return taken;
        });

        public void Dispose() => listener.Close();

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    var context = await listener.GetContextAsync();
                    using var body = new MemoryStream();
                    await context.Request.InputStream.CopyToAsync(body);
                    var headers = context.Request.Headers;
                    messages.Add(new Message(
                        headers["webhook-id"]!, headers["webhook-timestamp"]!, headers["webhook-signature"]!,
                        body.ToArray()));
                    context.Response.StatusCode = Status;
                    context.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // Closed.
            }
        }
    }
}
