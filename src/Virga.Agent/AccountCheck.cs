using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Agent;

/// <summary>Tries what the agent will do with an account, in a scratch file, step by step.</summary>
internal static class AccountCheck
{
    private const int ScratchBytes = 100_000;

    public static async Task<CheckResult> RunAsync(
        Func<Task<IAccount>> open, TimeProvider time, CancellationToken cancellationToken)
    {
        var steps = new List<CheckStep>();
        IAccount? account = null;
        long? free = null;
        var scratch = EntryPath.Parse($"virga-check-{time.GetUtcNow().ToUnixTimeMilliseconds()}.tmp");
        var content = new byte[ScratchBytes];
        for (var i = 0; i < content.Length; i++) content[i] = (byte)(i * 31);

        var ok = await StepAsync("open", async () => account = await open());
        ok = ok && await StepAsync("list", async () =>
        {
            await foreach (var _ in account!.ListAsync(EntryPath.Root, cancellationToken)) break;
        });
        if (ok && account!.Find<IReportsSpace>() is { } space)
            await StepAsync("space", async () => free = (await space.GetSpaceAsync(cancellationToken)).FreeBytes);
        if (ok && account!.Traits.IsReadOnly)
        {
            const string readOnly = "read-only: it can be shared from, not received into";
            return new CheckResult(true, [.. steps, new CheckStep("write", true, readOnly, null, 0)], free);
        }
        ok = ok && await StepAsync(
            "write", async () => await account!.WriteAsync(scratch, content, WriteOptions.Default, cancellationToken));
        if (ok)
        {
            ok &= await StepAsync("read a range", () => ReadAsync(account!, scratch, content, cancellationToken));
            ok &= await StepAsync("delete", async () => await account!.DeleteAsync(scratch, cancellationToken));
        }
        return new CheckResult(ok, steps, free);

        async Task<bool> StepAsync(string name, Func<Task> step)
        {
            var start = time.GetTimestamp();
            try
            {
                await step();
                steps.Add(new CheckStep(name, true, null, null, time.GetElapsedTime(start).TotalMilliseconds));
                return true;
            }
            catch (VirgaException e)
            {
                steps.Add(new CheckStep(
                    name, false, e.Message, e.Advice, time.GetElapsedTime(start).TotalMilliseconds));
                return false;
            }
        }
    }

    private static async Task ReadAsync(
        IAccount account, EntryPath scratch, byte[] content, CancellationToken cancellationToken)
    {
        var range = new ByteRange(ScratchBytes / 3, ScratchBytes / 2);
        var stat = await account.StatAsync(scratch, cancellationToken);
        await using var reader = await account.ReadAsync(scratch, range, stat?.Version, cancellationToken);
        var got = new byte[range.Length];
        await reader.Content.ReadExactlyAsync(got, cancellationToken);
        if (!got.AsSpan().SequenceEqual(content.AsSpan((int)range.Offset, (int)range.Length)))
        {
            throw new VirgaException(
                FailureKind.Corrupt, "the account gave other bytes than were written",
                "Do not use it before its provider has explained this.");
        }
    }
}
