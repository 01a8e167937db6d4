using System.Globalization;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Agent;

/// <summary>How far an account is tried.</summary>
internal enum CheckDepth
{
    /// <summary>A listing, and one small file written, read and deleted.</summary>
    Quick,

    /// <summary>Listings and reads; nothing is written.</summary>
    ReadOnly,

    /// <summary>Everything that a transfer will do there, in a folder of its own.</summary>
    Full,
}

/// <summary>
/// Tries what the agent will do with an account, step by step, in a scratch folder that is gone afterwards, also when a
/// step fails or who asked goes away.
/// </summary>
internal sealed class AccountCheck(TimeProvider time, CancellationToken cancellationToken)
{
    private const int SampleBytes = 100_000;
    private const int ReadBytesMax = 4 << 20;
    private const int ListedMax = 10_000;

    private static readonly TimeSpan CleanupTimeout = TimeSpan.FromMinutes(2);

    private readonly List<CheckStep> steps = [];
    private IAccount account = null!;
    private Entry? anyFile;
    private long? free;

    public static async Task<CheckResult> RunAsync(
        Func<Task<IAccount>> open, CheckDepth depth, TimeProvider time, CancellationToken cancellationToken)
    {
        var check = new AccountCheck(time, cancellationToken);
        await check.RunAsync(open, depth);
        return new CheckResult(check.steps.TrueForAll(s => s.Ok), check.steps, check.free);
    }

    private async Task RunAsync(Func<Task<IAccount>> open, CheckDepth depth)
    {
        var isGood = await StepAsync("open", async () =>
        {
            account = await open();
            return default;
        });
        if (!isGood || !await StepAsync("list", ListAsync)) return;
        if (account.Find<IReportsSpace>() is { } space)
        {
            await StepAsync("space", async () =>
            {
                free = (await space.GetSpaceAsync(cancellationToken)).FreeBytes;
                return default;
            });
        }
        if (account.Traits.IsReadOnly)
            Note("write", "read-only: it can be shared from, not received into");
        if (depth == CheckDepth.ReadOnly || account.Traits.IsReadOnly) await ReadOnlyAsync();
        else await WriteAsync(depth);
    }

    private async Task ReadOnlyAsync()
    {
        if (anyFile is not { } file) Note("read", "no file in the root to read");
        else await StepAsync("read", () => ReadSomeAsync(file));
    }

    private async Task WriteAsync(CheckDepth depth)
    {
        var unique = time.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        var scratch = EntryPath.Parse("virga-check-" + unique);
        var probe = new AccountProbe(account, scratch, cancellationToken);
        try
        {
            if (!await StepAsync("write", () => probe.WriteAsync(SampleBytes))) return;
            await StepAsync("read a range", () => probe.ReadRangeAsync());
            if (depth == CheckDepth.Quick) return;
            await StepAsync("empty file", () => probe.EmptyFileAsync());
            await StepAsync("modified time", () => probe.ModifiedAsync());
            await StepAsync("odd names", () => probe.NamesAsync());
            await StepAsync("upload in parts", () => probe.PartsAsync());
            await StepAsync("read it all", () => probe.ReadAllAsync());
            await StepAsync("resume an upload", () => probe.ResumeAsync());
            await StepAsync("replace", () => probe.ReplaceAsync());
            await StepAsync("rename", () => probe.RenameAsync());
        }
        finally
        {
            using var limit = new CancellationTokenSource(CleanupTimeout, time);
            await StepAsync("delete", () => probe.CleanAsync(limit.Token), isCleanup: true);
        }
    }

    private async Task<CheckDetail> ListAsync()
    {
        var count = 0;
        await foreach (var entry in account.ListAsync(EntryPath.Root, cancellationToken))
        {
            if (entry is { Kind: EntryKind.File, Length: > 0 }
                && (anyFile is null || (anyFile.Length < ReadBytesMax && entry.Length > anyFile.Length)))
            {
                anyFile = entry;
            }
            if (++count >= ListedMax) break;
        }
        return Said(count >= ListedMax ? $"{count} entries and more in the root" : $"{count} entries in the root");
    }

    private async Task<CheckDetail> ReadSomeAsync(Entry file)
    {
        var range = new ByteRange(0, Math.Min(file.Length, ReadBytesMax));
        await using var reader = await account.ReadAsync(file.Path, range, file.Version, cancellationToken);
        var buffer = new byte[81_920];
        long count = 0;
        while (await reader.Content.ReadAsync(buffer, cancellationToken) is var read and > 0) count += read;
        return new CheckDetail($"{count} bytes of {NameRules.Show(file.Path.Value)}", count);
    }

    private static CheckDetail Said(string message) => new(message, null);

    private void Note(string step, string message) => steps.Add(new CheckStep(step, true, message, null, 0));

    private async Task<bool> StepAsync(string name, Func<Task<CheckDetail>> step, bool isCleanup = false)
    {
        var start = time.GetTimestamp();
        double Elapsed() => time.GetElapsedTime(start).TotalMilliseconds;
        try
        {
            var detail = await step();
            var took = Elapsed();
            var rate = detail.Bytes is { } bytes && took > 0 ? bytes / took * 1000 : (double?)null;
            steps.Add(new CheckStep(name, true, detail.Message, null, took, rate));
            return true;
        }
        catch (VirgaException e)
        {
            steps.Add(new CheckStep(name, false, e.Message, e.Advice ?? AdviceOf(e.Kind), Elapsed()));
            return false;
        }
        catch (OperationCanceledException) when (isCleanup)
        {
            steps.Add(new CheckStep(
                name, false, "what was written could not be deleted in time",
                "Delete the folder virga-check-... of the account yourself.", Elapsed()));
            return false;
        }
    }

    private static string AdviceOf(FailureKind kind) => kind switch
    {
        FailureKind.Denied or FailureKind.ReadOnly =>
            "Give the account's user the right to do this, or use the account only to share from.",
        FailureKind.Unauthenticated => "Check the account's secrets, and add or link it anew.",
        FailureKind.Full => "Free some space, or have the quota raised.",
        FailureKind.Throttled => "Try again later: the service was asked too often.",
        FailureKind.Corrupt => "Do not use it before its provider has explained this.",
        _ => "Try again; if it stays so, ask whoever runs the service.",
    };
}

/// <summary>What a step found.</summary>
/// <param name="Bytes">That were moved, for a rate; null where none were.</param>
internal readonly record struct CheckDetail(string? Message, long? Bytes);
