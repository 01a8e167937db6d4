using System.Runtime.InteropServices;
using Virga.Accounts;
using Virga.Core;
using Xunit;

namespace Virga.Testing.Conformance;

/// <summary>
/// What every account promises, whatever its kind: the docstrings of <see cref="IAccount"/> and the declared traits, as
/// tests. An adapter's test derives a class that opens accounts on a scratch place of its own:
/// <code>
/// public sealed class DiskConformance : AccountConformance
/// {
///     private readonly ScratchFolder folder = new();
///     protected override ValueTask&lt;IAccount&gt; OpenAsync() => adapter.OpenAsync(folder.Config, default);
///     protected override ValueTask CleanUpAsync() => folder.DisposeAsync();
/// }
/// </code>
/// xunit makes one object per test, so each test has a place that is empty at first.
/// </summary>
public abstract partial class AccountConformance : IAsyncLifetime
{
    private readonly List<IAccount> opened = [];

    /// <summary>
    /// Another account object on this test's place. The place is empty at the first call, and the same one at every
    /// later call.
    /// </summary>
    protected abstract ValueTask<IAccount> OpenAsync();

    /// <summary>Removes the place, whatever the test left in it.</summary>
    protected virtual ValueTask CleanUpAsync() => ValueTask.CompletedTask;

    /// <summary>How many entries make a folder of several pages; fewer only where a service is very slow.</summary>
    protected virtual int ManyEntries => 1500;

    protected IAccount Account { get; private set; } = null!;

    /// <summary>The account after <see cref="InitializeAsync"/>, for whoever describes what is tried.</summary>
    public IAccount Opened => Account;

    protected AccountTraits Traits => Account.Traits;

    public async Task InitializeAsync() => Account = await OpenAnotherAsync();

    public async Task DisposeAsync()
    {
        try
        {
            foreach (var account in opened) await account.DisposeAsync();
        }
        finally
        {
            await CleanUpAsync();
        }
    }

    protected async Task<IAccount> OpenAnotherAsync()
    {
        var account = await OpenAsync();
        opened.Add(account);
        return account;
    }

    protected static EntryPath Path(string text) => EntryPath.Parse(text);

    /// <summary>Bytes that look random and are the same for the same seed.</summary>
    protected static byte[] Bytes(long count, int seed = 1)
    {
        var bytes = new byte[count];
        var words = MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan());
        var state = (ulong)seed * 0x9E3779B97F4A7C15 + 1;
        for (var i = 0; i < words.Length; i++) words[i] = Next(ref state);
        var last = Next(ref state);
        for (var i = words.Length * 8; i < bytes.Length; i++, last >>= 8) bytes[i] = (byte)last;
        return bytes;
    }

    // splitmix64: https://prng.di.unimi.it/splitmix64.c (public domain).
    private static ulong Next(ref ulong state)
    {
        var z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    protected async Task<Entry> WriteAsync(string path, ReadOnlyMemory<byte> content, WriteOptions? options = null) =>
        await Account.WriteAsync(Path(path), content, options ?? WriteOptions.Default, CancellationToken.None);

    protected async Task<Entry?> StatAsync(string path) => await Account.StatAsync(Path(path), CancellationToken.None);

    protected async Task<Entry> StatExistingAsync(string path)
    {
        var entry = await StatAsync(path);
        Assert.True(entry is not null, $"nothing at '{path}'");
        return entry;
    }

    protected async Task<List<Entry>> ListAsync(EntryPath folder)
    {
        var entries = new List<Entry>();
        await foreach (var entry in Account.ListAsync(folder, CancellationToken.None)) entries.Add(entry);
        return entries;
    }

    protected Task<List<Entry>> ListAsync(string folder) => ListAsync(Path(folder));

    protected async Task<byte[]> ReadAsync(IAccount account, EntryPath path, ByteRange range, EntryVersion? pin = null)
    {
        await using var reader = await account.ReadAsync(path, range, pin, CancellationToken.None);
        return await ReadToEndAsync(reader.Content);
    }

    protected Task<byte[]> ReadAsync(string path, long offset, long length, EntryVersion? pin = null) =>
        ReadAsync(Account, Path(path), new ByteRange(offset, length), pin);

    protected async Task<byte[]> ReadAllAsync(string path)
    {
        var entry = await StatExistingAsync(path);
        return await ReadAsync(path, 0, entry.Length, entry.Version);
    }

    protected static async Task<byte[]> ReadToEndAsync(Stream stream, CancellationToken cancellationToken = default)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, cancellationToken);
        return all.ToArray();
    }

    protected async Task AssertContentAsync(string path, ReadOnlyMemory<byte> expected)
    {
        var actual = await ReadAllAsync(path);
        Assert.True(
            expected.Span.SequenceEqual(actual),
            $"'{path}' has other content ({actual.Length} bytes) than was written ({expected.Length} bytes)");
    }

    protected async Task AssertNothingAsync(string path)
    {
        Assert.Null(await StatAsync(path));
        Assert.DoesNotContain(await ListOrEmptyAsync(Path(path).Parent), entry => entry.Path == Path(path));
    }

    /// <summary>A folder that isn't there lists as nothing, or as NotFound.</summary>
    protected async Task<List<Entry>> ListOrEmptyAsync(EntryPath folder)
    {
        try
        {
            return await ListAsync(folder);
        }
        catch (VirgaException e) when (e.Kind == FailureKind.NotFound)
        {
            return [];
        }
    }

    protected static async Task<VirgaException> FailsAsync(Func<Task> action, params FailureKind[] kinds)
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(action);
        Assert.True(
            kinds.Contains(failure.Kind),
            $"{failure.Kind} ('{failure.Message}') instead of {string.Join(" or ", kinds)}");
        Assert.False(string.IsNullOrWhiteSpace(failure.Message));
        return failure;
    }

    /// <summary>
    /// The same file, whoever describes it: its version is what later decides whether it has changed.
    /// </summary>
    protected static void AssertSame(Entry expected, Entry actual)
    {
        Assert.Equal(expected.Path, actual.Path);
        Assert.Equal(expected.Kind, actual.Kind);
        Assert.Equal(expected.Length, actual.Length);
        Assert.Equal(expected.Version, actual.Version);
        Assert.Equal(expected.IsExecutable, actual.IsExecutable);
    }
}
