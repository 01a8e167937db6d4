using Virga.Core;

namespace Virga.Accounts.Decorators;

/// <summary>What an upload was begun with, and is taken up again with.</summary>
internal sealed record UploadTerms(EntryPath Path, long Length, long PartBytes, WriteOptions Options);

/// <summary>
/// An upload whose parts come in sequence, so that writing one again is safe: after a part without an answer the
/// account is asked what it holds, and the part is sent only if it isn't there.
/// </summary>
internal sealed class SequentialUpload(
    IUpload first, string token, UploadTerms terms, IResumableUploads uploads) : IUpload
{
    private IUpload current = first;
    private bool isInDoubt;

    public string? Token => token;

    public IReadOnlyList<PartReceipt> Stored => current.Stored;

    public async ValueTask<PartReceipt> WritePartAsync(
        long index, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        if (isInDoubt)
        {
            var again = await uploads.ResumeUploadAsync(
                terms.Path, terms.Length, terms.PartBytes, terms.Options, token, cancellationToken);
            await current.DisposeAsync();
            current = again;
            isInDoubt = false;
            foreach (var receipt in again.Stored)
                if (receipt.Index == index) return receipt;
        }
        try
        {
            return await current.WritePartAsync(index, content, cancellationToken);
        }
        catch (VirgaException e) when (e.IsTransient)
        {
            isInDoubt = true;
            throw;
        }
    }

    public ValueTask<Entry> CompleteAsync(IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken) =>
        current.CompleteAsync(parts, cancellationToken);

    public ValueTask AbortAsync(CancellationToken cancellationToken) => current.AbortAsync(cancellationToken);

    public ValueTask DisposeAsync() => current.DisposeAsync();
}
