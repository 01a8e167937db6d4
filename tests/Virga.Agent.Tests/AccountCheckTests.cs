using Virga.Accounts;
using Virga.Accounts.Decorators;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Testing.Accounts;

namespace Virga.Agent.Tests;

/// <summary>A check tells what an account can do, and leaves nothing behind however it ends.</summary>
public sealed class AccountCheckTests
{
    private readonly InMemoryStore store = new();

    private static readonly AccountTraits Good = InMemoryAccount.DefaultTraits;

    private static Task<CheckResult> CheckAsync(
        IAccount account, CheckDepth depth = CheckDepth.Full, CancellationToken cancellationToken = default) =>
        AccountCheck.RunAsync(() => Task.FromResult(account), depth, TimeProvider.System, cancellationToken);

    private async Task AssertEmptyAsync()
    {
        var account = new InMemoryAccount(store);
        Assert.Empty(await account.WalkAsync(EntryPath.Root).ToListAsync());
        var pending = account.Find<IResumableUploads>()!.ListUploadsAsync(EntryPath.Root, default);
        Assert.Empty(await pending.ToListAsync());
    }

    private static CheckStep Step(CheckResult result, string name) => Assert.Single(result.Steps, s => s.Step == name);

    [Fact]
    public async Task Everything_is_tried_and_nothing_left()
    {
        var result = await CheckAsync(new InMemoryAccount(store));
        Assert.All(result.Steps, s => Assert.True(s.Ok, $"{s.Step}: {s.Message}"));
        Assert.Equal(
            [
                "open", "list", "space", "write", "read a range", "empty file", "modified time", "odd names",
                "upload in parts", "read it all", "resume an upload", "replace", "rename", "delete",
            ],
            result.Steps.Select(s => s.Step));
        Assert.True(Step(result, "upload in parts").BytesPerSecond > 0);
        Assert.Equal("kept", Step(result, "modified time").Message);
        await AssertEmptyAsync();
    }

    public static TheoryData<string> Variants() => ["order", "resume", "times", "names", "folders", "big", "multiple"];

    private static AccountTraits Variant(string what) => what switch
    {
        "order" => Good with { PartOrder = PartOrder.Sequence },
        "resume" => Good with { UploadResume = UploadResume.None },
        "times" => Good with { KeepsModified = false },
        "names" => Good with
        {
            Names = new NameRules(
                MaxNameBytes: 100, Forbidden: "<>|?*:\\", IsCaseSensitive: false, AllowsTrailingDotOrSpace: false,
                AllowsControl: false),
        },
        "folders" => Good with { KeepsEmptyFolders = false },
        "big" => Good with { PartBytesMin = 40 << 20, PartBytesMax = 64 << 20 },
        _ => Good with { PartMultipleBytes = 327_680 },
    };

    [Theory]
    [MemberData(nameof(Variants))]
    public async Task Every_kind_of_account_passes_and_what_it_lacks_is_said(string what)
    {
        var result = await CheckAsync(new InMemoryAccount(store, Variant(what)));
        Assert.All(result.Steps, s => Assert.True(s.Ok, $"{s.Step}: {s.Message}"));
        var (step, holds) = what switch
        {
            "resume" => ("resume an upload", "begins that file anew"),
            "times" => ("modified time", "not kept"),
            "names" => ("odd names", "differ in case alone"),
            "big" => ("upload in parts", "left out"),
            _ => ("delete", "nothing is left behind"),
        };
        Assert.Contains(holds, Step(result, step).Message, StringComparison.Ordinal);
        await AssertEmptyAsync();
    }

    [Fact]
    public async Task A_read_only_check_writes_nothing_and_a_read_only_account_passes()
    {
        await new InMemoryAccount(store).WriteAsync(
            EntryPath.Parse("file"), new byte[1000], WriteOptions.Default, default);
        var version = (await new InMemoryAccount(store).StatAsync(EntryPath.Parse("file"), default))!.Version;
        foreach (var traits in new[] { Good, Good with { IsReadOnly = true } })
        {
            var result = await CheckAsync(
                new InMemoryAccount(store, traits), traits.IsReadOnly ? CheckDepth.Full : CheckDepth.ReadOnly);
            Assert.True(result.Ok);
            Assert.Contains("1000 bytes of file", Step(result, "read").Message, StringComparison.Ordinal);
        }
        var after = Assert.Single(await new InMemoryAccount(store).WalkAsync(EntryPath.Root).ToListAsync());
        Assert.Equal(version, after.Version);
    }

    [Fact]
    public async Task A_full_account_is_named_with_what_to_do_and_nothing_stays()
    {
        store.CapacityBytes = 500_000;
        var result = await CheckAsync(new InMemoryAccount(store));
        Assert.False(result.Ok);
        var failed = Step(result, "upload in parts");
        Assert.False(failed.Ok);
        Assert.NotNull(failed.Advice);
        // One failure does not keep the rest from being tried.
        Assert.True(Step(result, "rename").Ok);
        await AssertEmptyAsync();
    }

    [Theory]
    [InlineData(AccountOperation.Write, "write")]
    [InlineData(AccountOperation.BeginUpload, "upload in parts")]
    [InlineData(AccountOperation.WritePart, "upload in parts")]
    [InlineData(AccountOperation.CompleteUpload, "upload in parts")]
    [InlineData(AccountOperation.ResumeUpload, "resume an upload")]
    [InlineData(AccountOperation.Read, "read a range")]
    [InlineData(AccountOperation.Move, "rename")]
    [InlineData(AccountOperation.List, "list")]
    public async Task Whatever_is_refused_is_named_and_nothing_is_left(AccountOperation refused, string step)
    {
        var result = await CheckAsync(new RefusingAccount(new InMemoryAccount(store), refused));
        Assert.False(result.Ok);
        Assert.False(Step(result, step).Ok);
        Assert.Contains("the right to do this", Step(result, step).Advice, StringComparison.Ordinal);
        await AssertEmptyAsync();
    }

    [Fact]
    public async Task Who_goes_away_leaves_nothing_behind()
    {
        using var leaving = new CancellationTokenSource();
        var account = new RefusingAccount(new InMemoryAccount(store), AccountOperation.CompleteUpload)
        {
            Instead = leaving.Cancel,
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => CheckAsync(account, cancellationToken: leaving.Token));
        await AssertEmptyAsync();
    }

    /// <summary>Refuses one operation in the root and everywhere else.</summary>
    private sealed class RefusingAccount(IAccount inner, AccountOperation refused) : AccountDecorator(inner)
    {
        public Action? Instead { get; init; }

        public override ValueTask<EntryReader> ReadAsync(
            EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
        {
            Refuse(AccountOperation.Read);
            return Inner.ReadAsync(path, range, pin, cancellationToken);
        }

        protected override ValueTask<T> CallAsync<T>(
            AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
        {
            Refuse(call.Operation);
            cancellationToken.ThrowIfCancellationRequested();
            return action(cancellationToken);
        }

        protected override IAsyncEnumerable<T> ListAsync<T>(
            AccountCall call, Func<CancellationToken, IAsyncEnumerable<T>> list, Func<T, string> key,
            CancellationToken cancellationToken)
        {
            Refuse(call.Operation);
            return list(cancellationToken);
        }

        private void Refuse(AccountOperation operation)
        {
            if (operation != refused) return;
            if (Instead is null) throw new VirgaException(FailureKind.Denied, "refused");
            Instead();
        }
    }
}
