using Virga.Core;

namespace Virga.Accounts.Adapters;

/// <summary>What services have in common that copy whole entries, however long, and no parts of them.</summary>
/// <param name="name">The service's, for people.</param>
internal abstract class WholeFileCopies(string name, IAccount account, AdapterServices services) : ICopyFromOthers
{
    public abstract string Service { get; }

    public long CopyBytesMax => long.MaxValue;

    public abstract ValueTask<string> GetPrincipalAsync(CancellationToken cancellationToken);

    public abstract ValueTask<Entry> CopyAsync(
        CopySource source, EntryPath path, WriteOptions options, CancellationToken cancellationToken);

    public long PartBytesFor(CopySource source, long length) => length;

    public ValueTask<PartReceipt> CopyPartAsync(
        CopySource source, EntryPath path, string token, long index, long partBytes, long length,
        CancellationToken cancellationToken) =>
        throw new VirgaException(FailureKind.Unsupported, $"{name} copies whole files, not parts of them");

    public abstract ValueTask<bool?> CompareAsync(
        CopySource source, Entry copy, CancellationToken cancellationToken);

    /// <summary>
    /// Where the service replaces nothing: the copy is made beside what stands there, and takes its place by a move.
    /// </summary>
    protected async ValueTask<Entry> ReplaceAsync(
        string what, EntryPath path, Func<EntryPath, Task> copy, CancellationToken cancellationToken)
    {
        var beside = path.Parent.Append(TemporaryNames.New(services, path.Name));
        await copy(beside);
        try
        {
            await account.MoveAsync(beside, path, cancellationToken);
        }
        catch
        {
            await account.DeleteAsync(beside, CancellationToken.None);
            throw;
        }
        return await account.StatAsync(path, cancellationToken)
            ?? throw new VirgaException(FailureKind.Changed, $"{what}: it was removed just after it was copied");
    }
}
