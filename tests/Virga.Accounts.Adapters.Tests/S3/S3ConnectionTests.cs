using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Virga.Accounts.Adapters.S3;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.S3;

/// <summary>What goes over the line around the calls, on a server that takes every object and counts.</summary>
public sealed class S3ConnectionTests : IAsyncLifetime
{
    private readonly CountingFront server = new();
    private IAccount account = null!;

    public async Task InitializeAsync()
    {
        var adapter = new S3Adapter(TestServices.Real);
        account = await adapter.OpenAsync(
            adapter.ParseAddress(
                $"s3:http://127.0.0.1:{server.Port}/bucket", TestServices.None,
                TestServices.Map(("accessKey", "key"), ("secretKey", "secret"))),
            default);
    }

    public async Task DisposeAsync()
    {
        await account.DisposeAsync();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task One_call_after_the_other_uses_one_connection()
    {
        for (var i = 0; i < 20; i++) await WriteAsync(10);

        Assert.Equal(1, server.Connections);
        Assert.Equal(20, server.Heads.Count);
    }

    [Fact]
    public async Task Connections_end_with_the_account()
    {
        await WriteAsync(10);
        await account.DisposeAsync();

        await server.AllEnded.WaitAsync(TimeSpan.FromMinutes(2));
    }

    [Theory]
    [InlineData(10 << 10, false)]
    [InlineData(4 << 20, true)]
    public async Task Only_a_long_body_waits_for_leave(int bytes, bool waits)
    {
        await WriteAsync(bytes);

        var head = Assert.Single(server.Heads);
        Assert.Equal(waits, head.Contains("Expect: 100-continue", StringComparison.OrdinalIgnoreCase));
    }

    private ValueTask<Entry> WriteAsync(int bytes) =>
        account.WriteAsync(EntryPath.Parse("file"), new byte[bytes], WriteOptions.Default, default);

    private sealed class CountingFront : LoopbackFront
    {
        private static readonly byte[] GoOn = "HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray();
        private static readonly byte[] Stored =
            "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n"u8.ToArray();

        private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int connections;

        public CountingFront() => Start();

        public ConcurrentQueue<string> Heads { get; } = new();

        public int Connections => connections;

        public Task AllEnded => ended.Task;

        protected override async Task ServeAsync(TcpClient client)
        {
            Interlocked.Increment(ref connections);
            var stream = client.GetStream();
            while (await HeadAsync(stream) is { } head)
            {
                Heads.Enqueue(head);
                var body = new byte[LengthOf(head)];
                if (head.Contains("100-continue", StringComparison.OrdinalIgnoreCase))
                    await stream.WriteAsync(GoOn, Stopped);
                await stream.ReadExactlyAsync(body, Stopped);
                await stream.WriteAsync(Stored, Stopped);
            }
            ended.TrySetResult();
        }

        /// <summary>Null at the connection's end.</summary>
        private async Task<string?> HeadAsync(NetworkStream stream)
        {
            var head = new StringBuilder();
            var one = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                if (await stream.ReadAsync(one, Stopped) == 0) return null;
                head.Append((char)one[0]);
            }
            return head.ToString();
        }

        private static int LengthOf(string head)
        {
            const string name = "Content-Length: ";
            var line = head.Split("\r\n").Single(l => l.StartsWith(name, StringComparison.OrdinalIgnoreCase));
            return int.Parse(line[name.Length..], CultureInfo.InvariantCulture);
        }
    }
}
