using System.Net;
using System.Net.Sockets;
using Virga.Accounts.Adapters.Http;
using Virga.Testing;

namespace Virga.Accounts.Adapters.Tests;

/// <summary>A reader that sleeps until much has come must still wake for the little that comes last.</summary>
public sealed class BatchingStreamTests : IAsyncLifetime
{
    private const int Much = 1 << 20;

    // Far more than any of it takes: what hangs is to fail, and to say so.
    private static readonly TimeSpan Hang = TimeSpan.FromMinutes(2);

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private BatchingStream ours = null!;
    private NetworkStream theirs = null!;

    public async Task InitializeAsync()
    {
        listener.Start();
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(listener.LocalEndpoint);
        theirs = new NetworkStream(await listener.AcceptSocketAsync(), ownsSocket: true);
        ours = new BatchingStream(socket);
    }

    public async Task DisposeAsync()
    {
        await ours.DisposeAsync();
        await theirs.DisposeAsync();
        listener.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(256 << 10)]
    [InlineData((256 << 10) + 1)]
    [InlineData((384 << 10) - 1)]
    [InlineData((3 << 20) + 17)]
    public async Task Long_and_short_answers_come_whole_one_after_the_other(int bytes)
    {
        for (var round = 0; round < 20; round++) await AskAsync(bytes, (ulong)round);
    }

    [Fact]
    public async Task What_trickles_in_after_much_has_come_is_not_held_back()
    {
        await AskAsync(Much, 1);
        for (byte i = 0; i < 50; i++)
        {
            // Each byte is sent only when the one before has arrived.
            var reading = ReadAsync(1);
            await theirs.WriteAsync(new[] { i });
            Assert.Equal([i], await reading);
        }
    }

    [Fact]
    public async Task The_end_of_an_answer_as_long_as_the_last_long_one_is_not_waited_for()
    {
        if (!OperatingSystem.IsLinux()) return;
        await AskAsync(Much, 1);
        await AskAsync(300, 3);
        await ours.WriteAsync(new byte[1]);
        var sending = AnswerAsync(Seeded.Bytes(2 * Much, 2));

        await ReadAsync(Much / 2);
        Assert.True(ours.WaitsForMuch);
        await ReadAsync((Much / 2) - 1000);
        Assert.False(ours.WaitsForMuch);
        // It was longer after all.
        await ReadAsync(Much / 2);
        Assert.True(ours.WaitsForMuch);
        await ReadAsync((Much / 2) + 1000);
        await sending;
    }

    [Fact]
    public async Task The_end_of_a_connection_is_told_while_much_is_waited_for()
    {
        await AskAsync(Much, 1);
        var reading = ours.ReadAsync(new byte[10]).AsTask();

        await theirs.DisposeAsync();

        Assert.Equal(0, await reading.WaitAsync(Hang));
    }

    [Fact]
    public async Task A_cancelled_read_ends_and_the_connection_is_closed_without_harm()
    {
        await AskAsync(Much, 1);
        using var cancelling = new CancellationTokenSource();
        var reading = ours.ReadAsync(new byte[10], cancelling.Token).AsTask();
        await cancelling.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(Hang));
        await ours.DisposeAsync();
        await ours.DisposeAsync();
    }

    /// <summary>A request of one byte; the answer comes in small writes, as servers make them.</summary>
    private async Task AskAsync(int bytes, ulong seed)
    {
        var answer = Seeded.Bytes(bytes, seed);
        await ours.WriteAsync(new byte[1]);
        var sending = AnswerAsync(answer);
        Assert.Equal(answer, await ReadAsync(bytes));
        await sending;
    }

    private async Task AnswerAsync(byte[] answer)
    {
        await theirs.ReadExactlyAsync(new byte[1]);
        for (var at = 0; at < answer.Length; at += 8000)
            await theirs.WriteAsync(answer.AsMemory(at, Math.Min(8000, answer.Length - at)));
    }

    private async Task<byte[]> ReadAsync(int bytes)
    {
        var content = new byte[bytes];
        await ours.ReadExactlyAsync(content).AsTask().WaitAsync(Hang);
        return content;
    }
}
