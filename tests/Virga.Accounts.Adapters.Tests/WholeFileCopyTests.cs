using Virga.Core;
using Virga.Testing;

namespace Virga.Accounts.Adapters.Tests;

/// <summary>Copies between two people's accounts of services that copy whole files: what all of them keep.</summary>
public abstract class WholeFileCopyTests : IAsyncLifetime
{
    protected static readonly EntryPath Original = EntryPath.Parse("folder/original"),
        Copied = EntryPath.Parse("got/it");

    protected IAccount Owner { get; private set; } = null!;

    protected IAccount Receiver { get; private set; } = null!;

    protected ICopyGrants Grants => Owner.Find<ICopyGrants>()!;

    protected ICopyFromOthers Copies => Receiver.Find<ICopyFromOthers>()!;

    /// <summary>The receiver's files, as paths of the account.</summary>
    protected abstract IReadOnlyList<string> ReceivedPaths { get; }

    public async Task InitializeAsync() => (Owner, Receiver) = await StartAsync();

    public async Task DisposeAsync()
    {
        await Owner.DisposeAsync();
        await Receiver.DisposeAsync();
        await StopAsync();
    }

    [Fact]
    public async Task What_is_opened_is_copied_and_no_byte_of_it_is_sent_to_anybody()
    {
        var content = Seeded.Bytes(100_000, 1);
        var modified = new DateTimeOffset(2026, 3, 4, 5, 6, 7, default);
        var entry = await Owner.WriteAsync(Original, content, new WriteOptions(modified), default);
        var source = (await OpenAsync(entry))!;
        Assert.Null(FoundInText(source.ToString()));
        // Whoever downloads or uploads from here on fails.
        FailContent();

        var copy = await Copies.CopyAsync(source, Copied, new WriteOptions(modified, true), default);

        Assert.Equal((Copied, content.Length, modified), (copy.Path, copy.Length, copy.Modified));
        Assert.Equal(Receiver.Traits.KeepsExecutable, copy.IsExecutable);
        Assert.True(await Copies.CompareAsync(source, copy, default));
        Assert.Equal(["got/it"], ReceivedPaths);
        LetContent();
        Assert.Equal(content, await ReadAsync(Receiver, copy));
    }

    [Fact]
    public async Task A_copy_takes_the_place_of_what_is_there_and_leaves_nothing_beside_it()
    {
        var source = (await OpenAsync(await WriteAsync(1000, 1)))!;
        await Receiver.WriteAsync(Copied, Seeded.Bytes(7, 2), WriteOptions.Default, default);

        var copy = await Copies.CopyAsync(source, Copied, WriteOptions.Default, default);

        Assert.Equal(Seeded.Bytes(1000, 1), await ReadAsync(Receiver, copy));
        Assert.Equal(["got/it"], ReceivedPaths);
    }

    [Fact]
    public async Task A_copy_of_other_content_is_found_out()
    {
        var source = (await OpenAsync(await WriteAsync(1000, 1)))!;
        var another = await Receiver.WriteAsync(Copied, Seeded.Bytes(1000, 2), WriteOptions.Default, default);

        Assert.False(await Copies.CompareAsync(source, another, default));
    }

    protected abstract Task<(IAccount Owner, IAccount Receiver)> StartAsync();

    protected abstract Task StopAsync();

    /// <summary>From now on every call that carries content fails.</summary>
    protected abstract void FailContent();

    protected abstract void LetContent();

    /// <summary>A secret of the service's that stands in a text; null where none does.</summary>
    protected virtual string? FoundInText(string text) => null;

    protected ValueTask<Entry> WriteAsync(int bytes, ulong seed) =>
        Owner.WriteAsync(Original, Seeded.Bytes(bytes, seed), WriteOptions.Default, default);

    protected static string Id(int number) => number.ToString("x32", null);

    protected async Task<CopySource?> OpenAsync(Entry entry, int id = 1, DateTimeOffset? until = null)
    {
        var opening = new CopyOpening(
            Id(id), await Copies.GetPrincipalAsync(default), until ?? new DateTimeOffset(2999, 1, 1, 0, 0, 0, default),
            [(entry.Path, entry.Version!.Value)]);
        return (await Grants.ChangeAsync([], opening, default))[0];
    }

    protected static async Task<byte[]> ReadAsync(IAccount account, Entry entry)
    {
        await using var reader = await account.ReadAsync(
            entry.Path, new ByteRange(0, entry.Length), entry.Version, default);
        var content = new byte[entry.Length];
        await reader.Content.ReadExactlyAsync(content);
        return content;
    }

    protected static async Task FailsAsync(FailureKind kind, ValueTask<Entry> copy) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<VirgaException>(async () => await copy)).Kind);
}
