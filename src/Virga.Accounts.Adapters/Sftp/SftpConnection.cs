using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>
/// An answer's kind and body; the buffer may be longer, and goes back to the pool when it is disposed.
/// </summary>
internal readonly struct SftpAnswer(SftpKind kind, byte[] buffer, int length) : IDisposable
{
    public SftpKind Kind { get; } = kind;

    public ReadOnlySpan<byte> Body => buffer.AsSpan(0, length);

    public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);
}

internal static class SftpAnswers
{
    /// <summary>Nobody waits for it any more: its buffer goes back to the pool when it comes.</summary>
    public static void Forget(this Task<SftpAnswer> answer) => _ = answer.ContinueWith(
        static late =>
        {
            if (late.IsCompletedSuccessfully) late.Result.Dispose();
            else _ = late.Exception;
        },
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}

/// <summary>
/// One connection: many requests at once, their answers told apart by number. A server handles them in the order in
/// which they were sent, so that what belongs together is sent at once and waited for at its end.
/// </summary>
internal sealed class SftpConnection : IAsyncDisposable
{
    private const uint ProtocolVersion = 3;
    private const int PacketBytesMax = 1 << 20, SmallBytes = 16 << 10, HeaderBytes = 5;
    private const string LimitsExtension = "limits@openssh.com";

    private readonly SshProcess process;
    private readonly SftpSettings settings;
    private readonly AdapterServices services;
    private readonly Stream output;
    private readonly Dictionary<uint, TaskCompletionSource<SftpAnswer>> pending = [];
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly Lock gate = new();
    private readonly ITimer watchdog;
    private uint lastId;
    private long lastMove;
    private Exception? failure;

    private SftpConnection(SshProcess process, SftpSettings settings, AdapterServices services)
    {
        (this.process, this.settings, this.services) = (process, settings, services);
        output = new BufferedStream(process.Output, 64 << 10);
        lastMove = services.Clock.GetTimestamp();
        watchdog = services.Clock.CreateTimer(
            _ => Watch(), null, services.StallTimeout / 4, services.StallTimeout / 4);
    }

    public IReadOnlyDictionary<string, string> Extensions { get; private set; } = new Dictionary<string, string>();

    /// <summary>Most bytes of one read or write: 32 KiB is what every server takes (3).</summary>
    public int ReadBytesMax { get; private set; } = 32 << 10;

    public int WriteBytesMax { get; private set; } = 32 << 10;

    public bool IsBroken => Volatile.Read(ref failure) is not null;

    /// <summary>Requests without an answer so far.</summary>
    public int Pending
    {
        get
        {
            lock (gate) return pending.Count;
        }
    }

    public static async Task<SftpConnection> OpenAsync(
        SftpSettings settings, AdapterServices services, CancellationToken cancellationToken)
    {
        var connection = new SftpConnection(SshProcess.Start(settings, services), settings, services);
        try
        {
            await connection.GreetAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Sends a request, with the payload behind it; its answer is awaited by whoever wants it. The payload belongs to
    /// the caller again when this ends.
    /// </summary>
    public async Task<Task<SftpAnswer>> PostAsync(
        SftpKind kind, SftpWriter body, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<SftpAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        await writing.WaitAsync(cancellationToken);
        try
        {
            uint id;
            lock (gate)
            {
                if (failure is not null) throw Broken();
                id = ++lastId;
                pending.Add(id, answer);
                if (pending.Count == 1) lastMove = services.Clock.GetTimestamp();
            }
            // Half a packet would spoil all that follow: what is begun is sent, whoever has lost patience.
            await WriteAsync(body.Finish(kind, id, payload.Length), payload);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            await FailAsync(null);
            throw Broken();
        }
        finally
        {
            writing.Release();
        }
        return WithPatienceAsync(answer.Task, cancellationToken);
    }

    public async Task<SftpAnswer> AskAsync(
        SftpKind kind, SftpWriter body, CancellationToken cancellationToken) =>
        await await PostAsync(kind, body, default, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await watchdog.DisposeAsync();
        process.Dispose();
        Fail(new VirgaException(FailureKind.Unavailable, $"the connection to {settings.Host} was closed"));
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> payload)
    {
        var input = process.Input;
        if (payload.IsEmpty || payload.Length > SmallBytes)
        {
            await input.WriteAsync(head, CancellationToken.None);
            if (!payload.IsEmpty) await input.WriteAsync(payload, CancellationToken.None);
        }
        else
        {
            var both = ArrayPool<byte>.Shared.Rent(head.Length + payload.Length);
            head.CopyTo(both);
            payload.CopyTo(both.AsMemory(head.Length));
            await input.WriteAsync(both.AsMemory(0, head.Length + payload.Length), CancellationToken.None);
            ArrayPool<byte>.Shared.Return(both);
        }
        await input.FlushAsync(CancellationToken.None);
        Volatile.Write(ref lastMove, services.Clock.GetTimestamp());
    }

    private static async Task<SftpAnswer> WithPatienceAsync(
        Task<SftpAnswer> answer, CancellationToken cancellationToken)
    {
        try
        {
            return await answer.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            answer.Forget();
            throw;
        }
    }

    private async Task GreetAsync(CancellationToken cancellationToken)
    {
        var hello = new byte[9];
        BinaryPrimitives.WriteUInt32BigEndian(hello, 5);
        hello[4] = (byte)SftpKind.Init;
        BinaryPrimitives.WriteUInt32BigEndian(hello.AsSpan(5), ProtocolVersion);
        using var patience = new CancellationTokenSource(services.StallTimeout, services.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await process.Input.WriteAsync(hello, either.Token);
            await process.Input.FlushAsync(either.Token);
            var (kind, buffer, length) = await ReadPacketAsync(either.Token);
            if (kind != SftpKind.Version) throw SftpReader.Malformed();
            Extensions = ReadExtensions(buffer.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(buffer);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirgaException(
                FailureKind.Timeout, $"{settings.Host} did not answer in time", "Check the address and the firewall.");
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw SftpFailures.OfConnection(settings, await process.EndAsync());
        }
        _ = ReadAnswersAsync();
        if (!Extensions.ContainsKey(LimitsExtension)) return;
        using var limits = await AskAsync(SftpKind.Extended, new SftpWriter().Text(LimitsExtension), cancellationToken);
        if (limits.Kind != SftpKind.ExtendedReply) return;
        var reader = new SftpReader(limits.Body);
        reader.Long();
        ReadBytesMax = Limit(reader.Long());
        WriteBytesMax = Limit(reader.Long());
    }

    private static int Limit(ulong says) => says == 0 ? 32 << 10 : (int)Math.Clamp(says, 4 << 10, PacketBytesMax / 2);

    private static Dictionary<string, string> ReadExtensions(ReadOnlySpan<byte> body)
    {
        var reader = new SftpReader(body);
        if (reader.Number() < ProtocolVersion)
        {
            throw new VirgaException(
                FailureKind.Unsupported, "the server knows only an old version of SFTP", "Use another server.");
        }
        var extensions = new Dictionary<string, string>(StringComparer.Ordinal);
        while (!reader.IsAtEnd) extensions[reader.Text()] = reader.Text();
        return extensions;
    }

    /// <summary>The body behind the kind, in a buffer of the pool.</summary>
    private async Task<(SftpKind Kind, byte[] Buffer, int Length)> ReadPacketAsync(CancellationToken cancellationToken)
    {
        var header = new byte[HeaderBytes];
        await output.ReadExactlyAsync(header, cancellationToken);
        var length = BinaryPrimitives.ReadUInt32BigEndian(header) - 1;
        if (length > PacketBytesMax) throw SftpReader.Malformed();
        var buffer = ArrayPool<byte>.Shared.Rent((int)length);
        await output.ReadExactlyAsync(buffer.AsMemory(0, (int)length), cancellationToken);
        return ((SftpKind)header[4], buffer, (int)length);
    }

    private async Task ReadAnswersAsync()
    {
        var header = new byte[HeaderBytes + 4];
        try
        {
            while (true)
            {
                await output.ReadExactlyAsync(header, CancellationToken.None);
                var length = BinaryPrimitives.ReadUInt32BigEndian(header) - HeaderBytes;
                if (length > PacketBytesMax) throw SftpReader.Malformed();
                var buffer = ArrayPool<byte>.Shared.Rent((int)length);
                await output.ReadExactlyAsync(buffer.AsMemory(0, (int)length), CancellationToken.None);
                Volatile.Write(ref lastMove, services.Clock.GetTimestamp());
                var answer = new SftpAnswer((SftpKind)header[4], buffer, (int)length);
                TaskCompletionSource<SftpAnswer>? waiting;
                lock (gate) pending.Remove(BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(5)), out waiting);
                if (waiting?.TrySetResult(answer) != true) answer.Dispose();
            }
        }
        catch (Exception e)
        {
            await FailAsync(e as VirgaException);
        }
    }

    private void Watch()
    {
        lock (gate)
        {
            if (pending.Count == 0) return;
        }
        if (services.Clock.GetElapsedTime(Volatile.Read(ref lastMove)) < services.StallTimeout) return;
        var seconds = services.StallTimeout.TotalSeconds.ToString("0", CultureInfo.InvariantCulture);
        Fail(new VirgaException(FailureKind.Timeout, $"{settings.Host} sent nothing for {seconds} s", "Try again."));
        process.Dispose();
    }

    private async Task FailAsync(VirgaException? why)
    {
        if (IsBroken) return;
        if (why is not null) Fail(why);
        // What ssh said last is the reason, where it has ended.
        var said = why is null ? await process.EndAsync().WaitAsync(TimeSpan.FromSeconds(5), services.Clock) : "";
        Fail(why ?? SftpFailures.OfConnection(settings, said));
    }

    private void Fail(Exception why)
    {
        TaskCompletionSource<SftpAnswer>[] all;
        lock (gate)
        {
            failure ??= why;
            all = [.. pending.Values];
            pending.Clear();
        }
        foreach (var waiting in all) waiting.TrySetException(Broken());
    }

    /// <summary>One of its own for each who hears of it.</summary>
    private VirgaException Broken() => failure is VirgaException known
        ? new VirgaException(known.Kind, known.Message, known.Advice, known)
        : new VirgaException(
            FailureKind.Unavailable, $"the connection to {settings.Host} broke", "Try again.", failure);
}
