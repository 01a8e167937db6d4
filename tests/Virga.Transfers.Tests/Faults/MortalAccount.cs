using System.Runtime.CompilerServices;
using Virga.Accounts;
using Virga.Accounts.Decorators;
using Virga.Core;

namespace Virga.Transfers.Tests.Faults;

/// <summary>The life of one process: after its end nothing that it does has an effect.</summary>
internal sealed class Life
{
    private readonly CancellationTokenSource end = new();

    public CancellationToken Ended => end.Token;

    public void Kill() => end.Cancel();

    /// <summary>Throws when it is over.</summary>
    public void Require() => end.Token.ThrowIfCancellationRequested();
}

/// <summary>
/// An account as one process sees it: when that dies, calls under way may still take effect, later ones don't, and no
/// answer comes any more, so that nobody can tidy up.
/// </summary>
internal sealed class MortalAccount(IAccount inner, Life life) : AccountDecorator(inner)
{
    public override async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        life.Require();
        return await Inner.ReadAsync(path, range, pin, cancellationToken);
    }

    protected override async ValueTask<T> CallAsync<T>(
        AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
    {
        life.Require();
        var result = await action(cancellationToken);
        // An upload that nobody can take up again lives as long as its connection, which ends with the process.
        if (life.Ended.IsCancellationRequested && result is IUpload { Token: null } upload)
            await upload.DisposeAsync();
        life.Require();
        return result;
    }

    protected override async IAsyncEnumerable<T> ListAsync<T>(
        AccountCall call,
        Func<CancellationToken, IAsyncEnumerable<T>> list,
        Func<T, string> key,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        life.Require();
        await foreach (var item in list(cancellationToken))
        {
            life.Require();
            yield return item;
        }
    }
}
