using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Core;
using Virga.Transfers.Engine;
using Virga.Transfers.Sources;

namespace Virga.Benchmarks.Accounts;

/// <summary>The cases on one server: ours, then rclone's, each into places of its own.</summary>
internal sealed partial class AccountRounds : IAsyncDisposable
{
    public static readonly string[] Cases = ["list-100k", "put-1gib", "get-1gib", "put-small", "get-small"];

    private const int FilesInFolder = 1_000, SmallBytes = 10 << 10;
    private const int LargeMib = 1024, PartsAtOnce = 3, ChunkBytes = 256 << 10;

    private readonly BenchedServer server;
    private readonly string service;
    private readonly string root;
    private readonly int smallFiles;
    private readonly int entries;
    private bool hasLarge, hasSmall;

    private AccountRounds(BenchedServer server, string service, string root, int smallFiles, int entries)
    {
        (this.server, this.service, this.root) = (server, service, root);
        (this.smallFiles, this.entries) = (smallFiles, entries);
    }

    private string Large => Path.Combine(root, "large");

    private string Small => Path.Combine(root, "small");

    /// <param name="smallFiles">How many, each of 10 KiB.</param>
    /// <param name="entries">How many are listed, a thousand in a folder.</param>
    public static async Task<AccountRounds> StartAsync(
        string service, int smallFiles, int entries, CancellationToken token)
    {
        var server = await BenchedServer.StartAsync(service, token);
        var memory = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        var root = Directory.CreateDirectory(
            Path.Combine(memory, $"virga-bench-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}"));
        var rounds = new AccountRounds(server, service, root.FullName, smallFiles, entries);
        await rounds.WriteLocalAsync(token);
        return rounds;
    }

    public async Task<BenchLine> RunAsync(string bench, string which, int rounds, CancellationToken token)
    {
        var (work, unit) = which switch
        {
            "list-100k" => ((double)entries, "1/s"),
            "put-1gib" or "get-1gib" => (LargeMib, "MiB/s"),
            _ => ((double)smallFiles, "1/s"),
        };
        if (which == "list-100k") await FillManyAsync(token);
        if (which == "get-1gib" && !hasLarge) await PutLargeAsync("ours-large", token);
        if (which == "get-small" && !hasSmall) await PutSmallAsync("ours-small", token);
        var (rates, ratios) = (new List<double>(), new List<double>());
        // The first is for the JIT, ours alone.
        await OursAsync(which, "warm-up", token);
        await RemoveAsync(which, "warm-up", token);
        for (var round = 0; round < rounds; round++)
        {
            // In turns first, so that neither always finds what the other left.
            var first = await OneAsync(which, round, isOurs: round % 2 == 0, token);
            var second = await OneAsync(which, round, isOurs: round % 2 != 0, token);
            var (ours, theirs) = round % 2 == 0 ? (first, second) : (second, first);
            rates.Add(work / ours.Seconds);
            ratios.Add(theirs.Seconds / ours.Seconds);
            await Console.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{which}-{service}: virga {work / ours.Seconds:f0} {unit} with {ours.Cpu:f1} s of CPU, "
                + $"rclone {work / theirs.Seconds:f0} {unit} with {theirs.Cpu:f1} s, ratio "
                + $"{theirs.Seconds / ours.Seconds:f2}"));
        }
        return new BenchLine(bench, $"{which}-{service}", Duel.Median(rates), unit, "rclone", Duel.Median(ratios));
    }

    private async Task<(double Seconds, double Cpu)> OneAsync(
        string which, int round, bool isOurs, CancellationToken token)
    {
        // rclone skips what seems to be there already.
        File.Delete(Path.Combine(root, "got-large"));
        var place = string.Create(CultureInfo.InvariantCulture, $"{(isOurs ? "ours" : "theirs")}-{round}");
        if (which.StartsWith("put", StringComparison.Ordinal)) await SettleAsync(token);
        var measured = await MeasureAsync(
            () => isOurs ? OursAsync(which, place, token) : TheirsAsync(which, place, token));
        await RemoveAsync(which, place, token);
        return measured;
    }

    /// <summary>What was written before goes to the disk now, not while the next is measured.</summary>
    private static async Task SettleAsync(CancellationToken token)
    {
        using var sync = Process.Start("sync");
        await sync.WaitForExitAsync(token);
    }

    /// <summary>Whoever is measured next finds no more there than this one did.</summary>
    private async Task RemoveAsync(string which, string place, CancellationToken token)
    {
        if (which == "put-1gib")
        {
            await using var account = await server.OpenAsync(token);
            await account.DeleteAsync(EntryPath.Parse(place + "-large"), token);
        }
        var got = Path.Combine(root, "got-" + place);
        if (which == "get-small" && Directory.Exists(got)) Directory.Delete(got, recursive: true);
    }

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        Directory.Delete(root, recursive: true);
    }

    private Task OursAsync(string which, string place, CancellationToken token) => which switch
    {
        "list-100k" => ListAsync(token),
        "put-1gib" => PutLargeAsync(place + "-large", token),
        "get-1gib" => GetLargeAsync(token),
        "put-small" => PutSmallAsync(place + "-small", token),
        _ => GetSmallAsync(token),
    };

    private Task<string> TheirsAsync(string which, string place, CancellationToken token)
    {
        string[] command = which switch
        {
            "list-100k" =>
                ["lsf", "-R", "--files-only", "--checkers", "32", $"{server.Remote}/many"],
            "put-1gib" => ["copyto", Large, $"{server.Remote}/{place}-large"],
            "get-1gib" => ["copyto", $"{server.Remote}/ours-large", Path.Combine(root, "got-large")],
            "put-small" => ["copy", Small, $"{server.Remote}/{place}-small", "--transfers", server.Transfers],
            _ =>
                [
                    "copy", $"{server.Remote}/ours-small", Path.Combine(root, "got-" + place), "--transfers",
                    server.Transfers,
                ],
        };
        return Rclone.RunAsync(server.Environment, token, [.. command, .. server.Flags]);
    }

    private async Task ListAsync(CancellationToken token)
    {
        await using var account = await server.OpenAsync(token);
        var count = 0;
        await foreach (var entry in account.WalkAsync(EntryPath.Parse("many"), null, token))
            if (entry.Kind == EntryKind.File) count++;
        if (count != entries) throw new InvalidOperationException($"{count} files were listed");
    }

    private async Task PutLargeAsync(string place, CancellationToken token)
    {
        await using var account = await server.OpenAsync(token);
        using var file = File.OpenHandle(Large, options: FileOptions.Asynchronous);
        var length = RandomAccess.GetLength(file);
        var layout = new PartLayout(length, account.Traits.PartBytesFor(length));
        await using var upload = await account.BeginUploadAsync(
            EntryPath.Parse(place), length, layout.PartBytes, WriteOptions.Default, token);
        var receipts = new PartReceipt[layout.Count];
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = account.Traits.PartOrder == PartOrder.Any ? PartsAtOnce : 1,
            CancellationToken = token,
        };
        await Parallel.ForEachAsync(Enumerable.Range(0, (int)layout.Count), options, async (index, stop) =>
        {
            var range = layout.RangeOf(index);
            var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent((int)range.Length);
            var part = buffer.AsMemory(0, (int)range.Length);
            await RandomAccess.ReadAsync(file, part, range.Offset, stop);
            receipts[index] = await upload.WritePartAsync(index, part, stop);
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        });
        await upload.CompleteAsync(receipts, token);
        if (place == "ours-large") hasLarge = true;
    }

    private async Task GetLargeAsync(CancellationToken token)
    {
        await using var account = await server.OpenAsync(token);
        var path = EntryPath.Parse("ours-large");
        var entry = (await account.StatAsync(path, token))!;
        using var file = File.OpenHandle(
            Path.Combine(root, "got-large"), FileMode.CreateNew, FileAccess.Write, options: FileOptions.Asynchronous);
        // The kernel lets one writer into a file at a time; others would spin on a core for its lock. It is memory that
        // is written to: quicker than to hand the write to another thread.
        var writing = new Lock();
        // As a transfer reads: as many ranges at once, and of such a length, as the way to the server makes good.
        var limits = EngineLimits.Default;
        var way = new Way(TimeProvider.System);
        var isFixed = server.RangesAtOnce > 0;
        var gate = isFixed
            ? new FetchGate(server.RangesAtOnce, () => 1) : new FetchGate(limits.RangesInFlight, () => way.WaitShare);
        var lengths = new byte[Math.Max(limits.RangeBytes, limits.FarRangeBytes)];
        long next = 0;
        var options = new ParallelOptions { MaxDegreeOfParallelism = limits.RangesInFlight, CancellationToken = token };
        await Parallel.ForAsync(0, limits.RangesInFlight, options, async (_, stop) =>
        {
            while (true)
            {
                await gate.EnterAsync(stop);
                try
                {
                    var length = isFixed || way.IsFar ? limits.FarRangeBytes : limits.RangeBytes;
                    var offset = Interlocked.Add(ref next, length) - length;
                    if (offset >= entry.Length) return;
                    await GetRangeAsync(new ByteRange(offset, Math.Min(length, entry.Length - offset)), stop);
                }
                finally
                {
                    gate.Leave();
                }
            }
        });

        async Task GetRangeAsync(ByteRange range, CancellationToken stop)
        {
            // The way wants to know how long the range is; its bytes go to the file chunk by chunk.
            var whole = lengths.AsMemory(0, (int)range.Length);
            var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(ChunkBytes);
            await way.ReadAsync(whole, async (start, rest, progress) =>
            {
                var from = range.Offset + start;
                await using var reader = await account.ReadAsync(
                    path, new ByteRange(from, rest.Length), entry.Version, stop);
                for (var done = 0; done < rest.Length;)
                {
                    var chunk = buffer.AsMemory(0, Math.Min(ChunkBytes, rest.Length - done));
                    // The first bytes are waited for by themselves, so that the wait is known.
                    var read = await reader.Content.ReadAtLeastAsync(chunk, done == 0 ? 1 : chunk.Length, true, stop);
                    lock (writing) RandomAccess.Write(file, chunk.Span[..read], from + done);
                    done += read;
                    progress(done);
                }
            });
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task PutSmallAsync(string place, CancellationToken token)
    {
        await using var account = await server.OpenAsync(token);
        var folder = EntryPath.Parse(place);
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = account.Traits.MaxConcurrency, CancellationToken = token,
        };
        await Parallel.ForEachAsync(Directory.EnumerateFiles(Small), options, async (file, stop) =>
        {
            var content = await File.ReadAllBytesAsync(file, stop);
            var modified = new DateTimeOffset(File.GetLastWriteTimeUtc(file));
            await account.WriteAsync(
                folder.Append(Path.GetFileName(file)), content, new WriteOptions(modified), stop);
        });
        if (place == "ours-small") hasSmall = true;
    }

    private async Task GetSmallAsync(CancellationToken token)
    {
        await using var account = await server.OpenAsync(token);
        var folder = Directory.CreateDirectory(Path.Combine(root, "got-small"));
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = account.Traits.MaxConcurrency, CancellationToken = token,
        };
        var count = 0;
        var listing = account.ListAsync(EntryPath.Parse("ours-small"), token);
        await Parallel.ForEachAsync(listing, options, async (entry, stop) =>
        {
            var content = new byte[entry.Length];
            await using var reader = await account.ReadAsync(
                entry.Path, new ByteRange(0, entry.Length), entry.Version, stop);
            await reader.Content.ReadExactlyAsync(content, stop);
            await File.WriteAllBytesAsync(Path.Combine(folder.FullName, entry.Path.Name), content, stop);
            Interlocked.Increment(ref count);
        });
        if (count != smallFiles) throw new InvalidOperationException($"{count} files came");
        folder.Delete(recursive: true);
    }

    private async Task FillManyAsync(CancellationToken token)
    {
        if (server.Files is { } files)
        {
            for (var number = 0; number < entries; number++)
            {
                var path = Path.Combine(files, Many(number));
                if (number % FilesInFolder == 0) Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await File.WriteAllBytesAsync(path, [1], token);
            }
            return;
        }
        await using var account = await server.OpenAsync(token);
        var options = new ParallelOptions { MaxDegreeOfParallelism = 48, CancellationToken = token };
        await Parallel.ForEachAsync(Enumerable.Range(0, entries), options, async (number, stop) =>
            await account.WriteAsync(EntryPath.Parse(Many(number)), new byte[1], WriteOptions.Default, stop));
    }

    private static string Many(int number)
    {
        var folder = (number / FilesInFolder).ToString("d3", CultureInfo.InvariantCulture);
        return $"many/{folder}/{Name(number % FilesInFolder)}";
    }

    private static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"file {number:d4}.txt");

    private async Task WriteLocalAsync(CancellationToken token)
    {
        var buffer = new byte[1 << 20];
        await using (var large = new FileStream(Large, FileMode.Create))
        {
            for (var i = 0; i < LargeMib; i++)
            {
                RandomNumberGenerator.Fill(buffer);
                await large.WriteAsync(buffer, token);
            }
        }
        Directory.CreateDirectory(Small);
        for (var i = 0; i < smallFiles; i++)
        {
            RandomNumberGenerator.Fill(buffer.AsSpan(0, SmallBytes));
            await File.WriteAllBytesAsync(Path.Combine(Small, Name(i)), buffer.AsMemory(0, SmallBytes), token);
        }
    }

    /// <summary>
    /// Wall time, and the CPU seconds of this process and of those that it began and that have ended.
    /// </summary>
    private static async Task<(double Seconds, double Cpu)> MeasureAsync(Func<Task> work)
    {
        var cpu = CpuSeconds();
        var clock = Stopwatch.StartNew();
        await work();
        var seconds = clock.Elapsed.TotalSeconds;
        // A child counts when it has been waited for.
        await Task.Delay(TimeSpan.FromMilliseconds(300));
        return (seconds, CpuSeconds() - cpu);
    }

    private static double CpuSeconds()
    {
        const int Own = 0, Children = -1;
        return Of(Own) + Of(Children);

        static double Of(int who)
        {
            Span<long> usage = stackalloc long[18];
            return GetUsage(who, ref MemoryMarshal.GetReference(usage)) == 0
                ? usage[0] + usage[2] + ((usage[1] + usage[3]) / 1e6)
                : 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static partial int GetUsage(int who, ref long usage);
}
