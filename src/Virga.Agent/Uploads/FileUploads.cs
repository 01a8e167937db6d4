using System.Collections.Concurrent;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Agent.Uploads;

/// <summary>
/// Files that come in pieces over the local API (docs/reference/control-api.md): begun, asked for, sent on from where
/// they are, also after a cut line, another page, or a restart of the agent. In the manner of tus and of the IETF's
/// resumable uploads. Those that nobody goes on with are ended after a day.
/// </summary>
internal sealed class FileUploads(FileUploadTable table, AccountPool accounts, AgentOptions options, Action<string> log)
    : IAsyncDisposable
{
    public const int AtOnceMax = 1024;
    public const int KeyCharactersMax = 1024;

    /// <summary>Of those whose parts are not whole, that are held in memory.</summary>
    private const int HeldMax = 4;
    private const int IdBytes = 16;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RestsAfter = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ToldFor = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan AbandonedAfter = TimeSpan.FromDays(1);

    private readonly ConcurrentDictionary<string, FileUpload> all = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim beginning = new(1);
    private readonly CancellationTokenSource stopping = new();

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        foreach (var (row, parts) in await table.ListAsync(cancellationToken)) all[row.Id] = Make(row, parts);
    }

    /// <summary>Begins a file, or finds the same one that was begun before.</summary>
    /// <param name="key">What the sender knows the file by, such as its size and time; empty for always anew.</param>
    /// <exception cref="VirgaException">
    /// Conflict: something stands there. BadInput: it is too long. Throttled: too many are begun.
    /// </exception>
    public async Task<FileUpload> BeginAsync(
        string accountName, EntryPath path, long length, string key, CancellationToken cancellationToken)
    {
        Check(path, length, key);
        await beginning.WaitAsync(cancellationToken);
        try
        {
            var same = key.Length == 0 ? null : all.Values.FirstOrDefault(u => u.Done is null
                && u.Row.Account == accountName && u.Row.Path == path && u.Row.Length == length && u.Row.Key == key);
            if (same is not null) return same;
            var account = await accounts.GetAsync(accountName, cancellationToken);
            if (length > Math.Max(account.Traits.FileBytesMax, account.Traits.SingleWriteBytesMax))
            {
                throw new VirgaException(
                    FailureKind.BadInput, $"'{path.Name}' is larger than a file may be there",
                    $"At most {account.Traits.FileBytesMax} bytes.");
            }
            if (await account.StatAsync(path, cancellationToken) is not null)
            {
                throw new VirgaException(
                    FailureKind.Conflict, $"there is a '{path.Name}' already",
                    "Choose another name, or delete that one first.");
            }
            if (all.Values.Count(u => u.Done is null) >= AtOnceMax)
            {
                throw new VirgaException(
                    FailureKind.Throttled, "too many uploads are begun", "Wait until some are complete, or end some.");
            }
            var upload = Make(NewRow(account, accountName, path, length, key), []);
            await table.PutAsync(upload.Row, cancellationToken);
            return all[upload.Row.Id] = upload;
        }
        finally
        {
            beginning.Release();
        }
    }

    /// <exception cref="VirgaException">NotFound.</exception>
    public FileUpload Get(string id) => all.GetValueOrDefault(id) ?? throw new VirgaException(
        FailureKind.NotFound, "there is no such upload", "It was ended, or is complete since long; begin it anew.");

    /// <summary>Those that are not complete, in the order of their places.</summary>
    public List<FileUpload> List() =>
    [
        .. all.Values.Where(u => u.Done is null).OrderBy(u => u.Row.Account, StringComparer.Ordinal)
            .ThenBy(u => u.Row.Path),
    ];

    public async Task EndAsync(string id, CancellationToken cancellationToken)
    {
        var upload = Get(id);
        await upload.EndAsync(cancellationToken);
        all.TryRemove(id, out _);
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(LookEvery, options.Time, cancellationToken);
            await TidyAsync(cancellationToken);
        }
    }

    /// <summary>Ends what is abandoned, and lets go of what is not needed while nothing comes.</summary>
    internal async Task TidyAsync(CancellationToken cancellationToken)
    {
        foreach (var upload in all.Values.Where(u => !u.IsBusy))
        {
            if (upload.Done is not null)
            {
                if (upload.Idle > ToldFor) all.TryRemove(upload.Row.Id, out _);
            }
            else if (upload.Idle > AbandonedAfter)
            {
                try
                {
                    await EndAsync(upload.Row.Id, cancellationToken);
                    log($"an upload that nobody went on with was ended: {upload.Row.Account}:{upload.Row.Path}");
                }
                catch (VirgaException e)
                {
                    log($"an upload that nobody goes on with could not be ended: {e.Message}");
                }
            }
            else if (upload.Idle > RestsAfter)
            {
                await upload.RestAsync(isLong: true);
            }
        }
        foreach (var upload in all.Values.Where(u => u.HoldsBytes).OrderBy(u => u.Idle).Skip(HeldMax))
            await upload.RestAsync(isLong: false);
    }

    public static FileUploadInfo InfoOf(FileUpload upload) => new(
        upload.Row.Id, upload.Row.Account, upload.Row.Path.Value, upload.Row.Length, upload.Offset, upload.IsBusy,
        upload.Done is null ? null : EntryEndpoints.InfoOf(upload.Done));

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        foreach (var upload in all.Values) await upload.DisposeAsync();
        stopping.Dispose();
        beginning.Dispose();
    }

    private static void Check(EntryPath path, long length, string key)
    {
        if (path.IsRoot || length < 0 || key.Length > KeyCharactersMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, "an upload has a path, a length, and a key of at most 1,024 characters",
                "Begin it with those.");
        }
    }

    private FileUploadRow NewRow(IAccount account, string name, EntryPath path, long length, string key)
    {
        Span<byte> id = stackalloc byte[IdBytes];
        options.Random(id);
        var atOnceMax = Math.Min(account.Traits.SingleWriteBytesMax, AccountTraits.PreferredPartBytes);
        var now = options.Time.GetUtcNow();
        return new FileUploadRow(
            Convert.ToHexStringLower(id), name, path, length, key,
            length <= atOnceMax ? 0 : account.Traits.PartBytesFor(length), null, now, now);
    }

    private FileUpload Make(FileUploadRow row, List<PartReceipt> parts) =>
        new(row, parts, table, accounts, options.Time, stopping.Token);
}
