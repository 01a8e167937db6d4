using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Virga.Testing.Servers;

namespace Virga.Benchmarks.Transfer;

/// <summary>
/// One GiB from a bucket of one user to a bucket of another on a real S3 gateway, through two agents, private and
/// verified, beside <c>rclone copy</c> between the same buckets, which streams through one process and verifies
/// nothing.
/// </summary>
internal sealed class S3Rounds(string bench, string root) : IAsyncDisposable
{
    private const int Mib = 1024;

    private RealServer? server;

    public async Task<BenchLine> RunAsync(int rounds, CancellationToken token)
    {
        server = await RealServer.StartAsync("ceph-s3.sh", token);
        var file = Path.Combine(Directory.CreateDirectory(root).FullName, "data.bin");
        await WriteRandomAsync(file, token);
        await RcloneAsync(token, "mkdir", "from:bench-from");
        await RcloneAsync(token, "mkdir", "to:bench-to");
        await RcloneAsync(token, "copyto", file, "from:bench-from/one/data.bin");
        File.Delete(file);

        await using var a = await AgentProcess.StartAsync($"{root}/agent-a", token);
        await using var b = await AgentProcess.StartAsync($"{root}/agent-b", token);
        await a.AddS3Async("s3", $"{server["S3_ENDPOINT"]}/bench-from", Key("S3_"), Secret("S3_"), token);
        await b.AddS3Async("s3", $"{server["S3_ENDPOINT"]}/bench-to", Key("S3_OTHER_"), Secret("S3_OTHER_"), token);
        var link = await a.ShareAsync("s3", "one", token);
        await b.GetAsync(link, "s3", "warm-up", token);
        await RcloneAsync(token, "purge", "to:bench-to/warm-up");
        var rates = new List<double>();
        var ratios = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            var before = (A: a.CpuSeconds(), B: b.CpuSeconds());
            var service = ServiceCpu();
            var seconds = await b.GetAsync(link, "s3", $"round-{round}", token);
            var (cpuA, cpuB) = (a.CpuSeconds() - before.A, b.CpuSeconds() - before.B);
            var ours = ServiceCpu() - service;
            await RcloneAsync(token, "check", "from:bench-from/one", $"to:bench-to/round-{round}", "--size-only");
            await RcloneAsync(token, "purge", $"to:bench-to/round-{round}");
            var clock = Stopwatch.StartNew();
            service = ServiceCpu();
            await RcloneAsync(
                token, "copy", "from:bench-from/one", "to:bench-to/rclone", "--s3-upload-concurrency", "8",
                "--s3-chunk-size", "16M", "--buffer-size", "64M");
            var theirs = clock.Elapsed.TotalSeconds;
            var theirService = ServiceCpu() - service;
            await RcloneAsync(token, "purge", "to:bench-to/rclone");
            rates.Add(Mib / seconds);
            ratios.Add(theirs / seconds);
            await Console.Error.WriteLineAsync(
                $"round {round}: virga {Mib / seconds:f0} MiB/s, rclone {Mib / theirs:f0} MiB/s; "
                    + $"CPU of the sending agent {cpuA:f1} s, of the receiving one {cpuB:f1} s, "
                    + $"of the service {ours:f1} s, with rclone {theirService:f1} s");
        }
        return new BenchLine(bench, "s3-to-s3", Duel.Median(rates), "MiB/s", "rclone", Duel.Median(ratios));
    }

    /// <summary>CPU seconds of the gateway and what is behind it, so far.</summary>
    private static double ServiceCpu()
    {
        double seconds = 0;
        foreach (var process in Process.GetProcesses())
        {
            using (process)
                if (process.ProcessName is "radosgw" or "ceph-osd") seconds += process.TotalProcessorTime.TotalSeconds;
        }
        return seconds;
    }

    public ValueTask DisposeAsync() => server?.DisposeAsync() ?? ValueTask.CompletedTask;

    private string Key(string user) => server![user + "ACCESS_KEY"];

    private string Secret(string user) => server![user + "SECRET_KEY"];

    private async Task RcloneAsync(CancellationToken token, params string[] arguments)
    {
        var info = new ProcessStartInfo("rclone", arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        // rclone 1.60 fails where this is set and its file holds more than one kind of certificate.
        info.Environment.Remove("AWS_CA_BUNDLE");
        info.Environment["RCLONE_CONFIG"] = "/dev/null";
        foreach (var (remote, user) in new[] { ("FROM", "S3_"), ("TO", "S3_OTHER_") })
        {
            var prefix = $"RCLONE_CONFIG_{remote}_";
            info.Environment[prefix + "TYPE"] = "s3";
            info.Environment[prefix + "PROVIDER"] = "Ceph";
            info.Environment[prefix + "ENDPOINT"] = server!["S3_ENDPOINT"];
            info.Environment[prefix + "ACCESS_KEY_ID"] = Key(user);
            info.Environment[prefix + "SECRET_ACCESS_KEY"] = Secret(user);
        }
        using var process = Process.Start(info) ?? throw new UsageException("rclone is not installed");
        var output = process.StandardOutput.ReadToEndAsync(token);
        var error = await process.StandardError.ReadToEndAsync(token);
        await process.WaitForExitAsync(token);
        await output;
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"rclone {string.Join(' ', arguments)}: {error}");
    }

    private static async Task WriteRandomAsync(string path, CancellationToken token)
    {
        await using var file = new FileStream(path, FileMode.Create);
        var buffer = new byte[1 << 20];
        for (var i = 0; i < Mib; i++)
        {
            RandomNumberGenerator.Fill(buffer);
            await file.WriteAsync(buffer, token);
        }
    }
}
