using Virga.Core;
using Virga.Protocol;
using Virga.Testing;
using Virga.Transfers.Sources;

namespace Virga.Transfers.Tests.Faults;

/// <summary>What a source does wrong, each with its probability per read.</summary>
internal sealed record SourceFaults
{
    /// <summary>It fails, or asks to be left alone for a while, before it sends anything.</summary>
    public double Fails { get; init; }

    /// <summary>It sends a part, then nonsense, and the connection breaks.</summary>
    public double Breaks { get; init; }

    /// <summary>It doesn't send for a minute; then the read is given up.</summary>
    public double Stalls { get; init; }

    /// <summary>One leaf of so many has a wrong bit; 0: none.</summary>
    public long LiesInOneLeafOf { get; init; }

    /// <summary>After so many reads it withdraws access (0: never).</summary>
    public int DeniesAfter { get; init; }

    /// <summary>After so many reads it is gone (0: never).</summary>
    public int GoneAfter { get; init; }

    public override string ToString() => string.Join(
        " ",
        new[]
        {
            Fails > 0 ? $"fails {Fails:0.00}" : "", Breaks > 0 ? $"breaks {Breaks:0.00}" : "",
            Stalls > 0 ? $"stalls {Stalls:0.00}" : "", LiesInOneLeafOf > 0 ? $"lies 1/{LiesInOneLeafOf}" : "",
            DeniesAfter > 0 ? $"denies after {DeniesAfter}" : "", GoneAfter > 0 ? $"gone after {GoneAfter}" : "",
        }.Where(s => s.Length > 0));
}

/// <summary>A source that fails as its faults say, drawn from a seed.</summary>
internal sealed class UnreliableSource(
    ReaderSource inner, AgentId agent, SourceFaults faults, Seeded random, TimeProvider time) : ISource
{
    private const int LeafBytes = 16 << 10;

    private int reads;
    private long sent;
    private int lies;

    public string Name => inner.Name;

    public AgentId? Agent => agent;

    /// <summary>Bytes that reached the receiver, wrong ones and those of broken reads too.</summary>
    public long Sent => Interlocked.Read(ref sent);

    public int Reads => Volatile.Read(ref reads);

    public int Lies => Volatile.Read(ref lies);


    public Task ReadAsync(Hash256 root, long offset, Memory<byte> destination, CancellationToken cancellationToken) =>
        SendAsync(token => inner.ReadAsync(root, offset, destination, token), destination, cancellationToken);

    public Task ReadManyAsync(
        IReadOnlyList<BlobRange> ranges, Memory<byte> destination, CancellationToken cancellationToken) =>
        SendAsync(token => inner.ReadManyAsync(ranges, destination, token), destination, cancellationToken);

    private async Task SendAsync(
        Func<CancellationToken, Task> read, Memory<byte> destination, CancellationToken cancellationToken)
    {
        var number = Interlocked.Increment(ref reads);
        if (faults.GoneAfter > 0 && number > faults.GoneAfter)
            throw new VirgaException(FailureKind.Unavailable, "connection refused");
        if (faults.DeniesAfter > 0 && number > faults.DeniesAfter)
            throw new VirgaException(FailureKind.Denied, "access was withdrawn");
        var draw = random.NextDouble();
        if ((draw -= faults.Fails) < 0) throw Failure();
        if ((draw -= faults.Stalls) < 0)
        {
            await Task.Delay(TimeSpan.FromMinutes(1), time, cancellationToken);
            throw new VirgaException(FailureKind.Timeout, "no byte for a minute");
        }
        await read(cancellationToken);
        if (draw - faults.Breaks < 0)
        {
            var got = (int)random.Next(destination.Length + 1);
            Interlocked.Add(ref sent, got);
            destination.Span[got..].Fill(0x5A);
            throw new VirgaException(FailureKind.Unavailable, "connection reset");
        }
        Interlocked.Add(ref sent, destination.Length);
        Lie(destination.Span);
    }

    private VirgaException Failure()
    {
        var kind = random.Next(3) switch
        {
            0 => FailureKind.Unavailable,
            1 => FailureKind.Timeout,
            _ => FailureKind.Throttled,
        };
        return new VirgaException(kind, "injected")
        {
            RetryAfter = kind == FailureKind.Throttled ? TimeSpan.FromSeconds(1 + random.Next(20)) : null,
        };
    }

    private void Lie(Span<byte> bytes)
    {
        if (faults.LiesInOneLeafOf == 0) return;
        for (var at = 0; at < bytes.Length; at += LeafBytes)
        {
            if (random.Next(faults.LiesInOneLeafOf) != 0) continue;
            Interlocked.Increment(ref lies);
            bytes[at + (int)random.Next(Math.Min(LeafBytes, bytes.Length - at))] ^= (byte)(1 << (int)random.Next(8));
        }
    }
}
