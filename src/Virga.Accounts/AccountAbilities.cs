using System.Runtime.CompilerServices;
using Virga.Core;

namespace Virga.Accounts;

/// <summary>
/// An account that answers itself which optional abilities it has: a decorator, or one whose abilities depend on its
/// settings. A decorator implements none of the abilities, so that it can't invent one; it hands out the inner
/// account's, wrapped in the same way as its own methods, so that it hides none either.
/// </summary>
public interface IAbilitySource : IAccount
{
    TAbility? FindAbility<TAbility>() where TAbility : class;
}

/// <summary>Something in a folder that is no entry, and why: a device, a socket, a name that isn't UTF-8.</summary>
/// <param name="Folder">Where it lies.</param>
/// <param name="ShownName">For people; bytes that aren't text are written as escapes.</param>
/// <param name="Reason">A clause, such as "is a socket".</param>
public sealed record SkippedEntry(EntryPath Folder, string ShownName, string Reason)
{
    /// <summary>What the account's <see cref="IChangeFeed"/> calls it, where it has one.</summary>
    public string? Id { get; init; }
}

/// <summary>Optional: an account that may hold things which are no entries, and names them.</summary>
public interface IReportsSkipped
{
    /// <summary>
    /// As <see cref="IAccount.ListAsync"/>; calls back for each thing that is left out, while the listing is read.
    /// </summary>
    IAsyncEnumerable<Entry> ListAsync(
        EntryPath folder, Action<SkippedEntry> onSkipped, CancellationToken cancellationToken);
}

/// <summary>What can be asked of every account: its optional abilities, and a walk through all that it holds.</summary>
public static class AccountAbilities
{
    /// <summary>
    /// An optional ability, also through decorators; null where the account hasn't got it. The only way to ask.
    /// </summary>
    public static TAbility? Find<TAbility>(this IAccount account) where TAbility : class =>
        account is IAbilitySource source ? source.FindAbility<TAbility>() : account as TAbility;

    /// <summary>
    /// Everything below a folder, itself excluded, in no certain order. Holds one page per level in memory. A folder
    /// that vanishes during the walk counts as empty, unless it is the first. Symlinks are entries and never followed.
    /// </summary>
    /// <param name="onSkipped">
    /// Called for things that are no entries, where the account knows (<see cref="IReportsSkipped"/>).
    /// </param>
    public static IAsyncEnumerable<Entry> WalkAsync(
        this IAccount account,
        EntryPath folder,
        Action<SkippedEntry>? onSkipped = null,
        CancellationToken cancellationToken = default)
    {
        if (account.Find<IRecursiveListing>() is { } recursive)
            return recursive.ListAllAsync(folder, onSkipped, cancellationToken);
        return onSkipped is not null && account.Find<IReportsSkipped>() is { } reporting
            ? WalkAsync(path => reporting.ListAsync(path, onSkipped, cancellationToken), folder, cancellationToken)
            : WalkAsync(path => account.ListAsync(path, cancellationToken), folder, cancellationToken);
    }

    /// <summary>The same with a listing of one's own.</summary>
    public static async IAsyncEnumerable<Entry> WalkAsync(
        Func<EntryPath, IAsyncEnumerable<Entry>> list,
        EntryPath folder,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var levels = new Stack<IAsyncEnumerator<Entry>>();
        try
        {
            levels.Push(list(folder).GetAsyncEnumerator(cancellationToken));
            while (levels.TryPeek(out var level))
            {
                if (!await MoveNextAsync(level, mayVanish: levels.Count > 1))
                {
                    await levels.Pop().DisposeAsync();
                    continue;
                }
                var entry = level.Current;
                yield return entry;
                if (entry.Kind == EntryKind.Folder) levels.Push(list(entry.Path).GetAsyncEnumerator(cancellationToken));
            }
        }
        finally
        {
            while (levels.TryPop(out var level)) await level.DisposeAsync();
        }
    }

    private static async ValueTask<bool> MoveNextAsync(IAsyncEnumerator<Entry> level, bool mayVanish)
    {
        try
        {
            return await level.MoveNextAsync();
        }
        catch (VirgaException e) when (mayVanish && e.Kind == FailureKind.NotFound)
        {
            return false;
        }
    }
}
