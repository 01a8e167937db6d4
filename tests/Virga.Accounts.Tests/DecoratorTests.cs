using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Reflection;
using Virga.Accounts.Decorators;
using Virga.Core;
using Virga.Testing;
using Virga.Testing.Accounts;

namespace Virga.Accounts.Tests;

public sealed class DecoratorTests
{
    private static readonly EntryPath File = EntryPath.Parse("file");

    private readonly InMemoryStore store = new();
    private readonly SkippingTime time = new();

    private static Type[] AbilityTypes =>
        [.. typeof(IAccount).Assembly.GetExportedTypes().Where(type => type.IsInterface).Except(
        [
            typeof(IAccount), typeof(IAbilitySource), typeof(IUpload), typeof(IAccountAdapter), typeof(ISecretStore),
            typeof(ILinkedAdapter), typeof(IAccountLinker), typeof(ILinkDialog),
        ])];

    private static object? Find(IAccount account, Type ability) => typeof(AccountAbilities)
        .GetMethod(nameof(AccountAbilities.Find), BindingFlags.Public | BindingFlags.Static)!
        .MakeGenericMethod(ability).Invoke(null, [account]);

    [Fact]
    public void Decorators_wrap_every_optional_ability_and_invent_none()
    {
        var all = new AllAbilities();
        Assert.NotEmpty(AbilityTypes);
        foreach (var ability in AbilityTypes)
        {
            Assert.True(ability.IsInstanceOfType(all), $"let {nameof(AllAbilities)} implement {ability.Name}");
            var found = Find(new LimitedAccount(all), ability);
            Assert.NotNull(found);
            Assert.False(
                ReferenceEquals(found, all),
                $"{ability.Name} comes through a decorator undecorated: wrap it in AccountDecorator");
            Assert.Null(Find(new LimitedAccount(new NoAbilities()), ability));
            Assert.False(ability.IsAssignableFrom(typeof(AccountDecorator)));
        }
    }

    [Fact]
    public void Abilities_follow_the_traits_of_an_account_in_memory()
    {
        var poor = new InMemoryAccount(
            store, InMemoryAccount.DefaultTraits with { UploadResume = UploadResume.None }) { HasSymlinks = false };
        Assert.Null(poor.WithCare(time, new Seeded(1).RandomBytes).Find<IResumableUploads>());
        Assert.Null(poor.Find<ISymlinks>());
        Assert.NotNull(new InMemoryAccount(store).WithCare(time, new Seeded(1).RandomBytes).Find<IResumableUploads>());
    }

    [Fact]
    public async Task The_limiter_lets_in_as_many_as_it_has_permits_and_serves_in_order()
    {
        var limiter = new FairLimiter(2);
        var first = await limiter.EnterAsync(default);
        var second = await limiter.EnterAsync(default);
        var waiting = Enumerable.Range(0, 5).Select(_ => limiter.EnterAsync(default).AsTask()).ToArray();
        Assert.All(waiting, task => Assert.False(task.IsCompleted));
        Assert.Equal(5, limiter.WaitingCount);
        second.Dispose();
        second.Dispose();
        var third = await waiting[0];
        Assert.Equal(4, limiter.WaitingCount);
        first.Dispose();
        await waiting[1];
        third.Dispose();
        await waiting[2];
        Assert.False(waiting[3].IsCompleted);
    }

    [Fact]
    public async Task Who_gives_up_waiting_takes_no_permit_along()
    {
        var limiter = new FairLimiter(1);
        var holder = await limiter.EnterAsync(default);
        using var cancelled = new CancellationTokenSource();
        var impatient = limiter.EnterAsync(cancelled.Token).AsTask();
        var patient = limiter.EnterAsync(default).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        Assert.Equal(1, limiter.WaitingCount);
        holder.Dispose();
        (await patient).Dispose();
        (await limiter.EnterAsync(default)).Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await limiter.EnterAsync(new CancellationToken(true)));
    }

    [Fact]
    public async Task The_limiter_keeps_its_limit_under_a_crowd_that_cancels()
    {
        var limiter = new FairLimiter(3);
        var (inside, most) = (0, 0);
        var random = new Seeded(11);
        await Task.WhenAll(Enumerable.Range(0, 300).Select(i => Task.Run(async () =>
        {
            using var cancel = new CancellationTokenSource();
            var entering = limiter.EnterAsync(cancel.Token).AsTask();
            if (random.Next(3) == 0) await cancel.CancelAsync();
            try
            {
                using var permit = await entering;
                InterlockedMax(ref most, Interlocked.Increment(ref inside));
                await Task.Yield();
                Interlocked.Decrement(ref inside);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        })));
        Assert.InRange(most, 1, 3);
        var all = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => limiter.EnterAsync(default).AsTask()));
        Assert.Equal((3, 0), (all.Length, limiter.WaitingCount));
    }

    [Fact]
    public async Task A_read_holds_its_permit_until_it_is_disposed()
    {
        await new InMemoryAccount(store).WriteAsync(File, new byte[10], WriteOptions.Default, default);
        var limited = new LimitedAccount(new InMemoryAccount(store), new FairLimiter(1));
        Assert.Equal(1, limited.Traits.MaxConcurrency);
        var reader = await limited.ReadAsync(File, new ByteRange(0, 10), null, default);
        var stat = limited.StatAsync(File, default).AsTask();
        Assert.False(stat.IsCompleted);
        await reader.DisposeAsync();
        Assert.NotNull(await stat);
        await Failing.AsyncWith(
            FailureKind.NotFound, async () => await limited.ReadAsync(EntryPath.Parse("no"), default, null, default));
        await foreach (var entry in limited.ListAsync(EntryPath.Root, default))
            Assert.NotNull(await limited.StatAsync(entry.Path, default));
    }

    [Fact]
    public async Task Calls_and_bytes_are_metered_by_operation_and_outcome()
    {
        var seen = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, on) =>
        {
            if (instrument.Meter.Name == MeteredAccount.MeterName) on.EnableMeasurementEvents(instrument);
        };
        void Add(string instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            // Other tests meter at the same time, under other adapters' names.
            if (tags[0].Value as string != "metered") return;
            var name = string.Join(
                ' ',
                tags[1..].ToArray().Select(tag => tag.Value).Prepend(instrument[(instrument.LastIndexOf('.') + 1)..]));
            seen.AddOrUpdate(name, value, (_, sum) => sum + value);
        }
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument.Name, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument.Name, value, tags));
        listener.Start();

        var traits = InMemoryAccount.DefaultTraits with { Adapter = "metered" };
        var metered = new MeteredAccount(new InMemoryAccount(store, traits), time);
        await metered.WriteAsync(File, new byte[100], WriteOptions.Default, default);
        await using (var upload = await metered.BeginUploadAsync(
            EntryPath.Parse("up"), 15, 10, WriteOptions.Default, default))
        {
            PartReceipt[] receipts = [
                await upload.WritePartAsync(0, new byte[10], default),
                await upload.WritePartAsync(1, new byte[5], default)];
            await upload.CompleteAsync(receipts, default);
        }
        await using (var reader = await metered.ReadAsync(File, new ByteRange(20, 60), null, default))
            await reader.Content.CopyToAsync(Stream.Null);
        await Failing.AsyncWith(
            FailureKind.NotFound, async () => await metered.ReadAsync(EntryPath.Parse("no"), default, null, default));
        await foreach (var _ in metered.ListAsync(EntryPath.Root, default)) break;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await metered.StatAsync(File, new CancellationToken(true)));

        Assert.Equal(115, seen["bytes written"]);
        Assert.Equal(60, seen["bytes read"]);
        Assert.Equal(2, seen["calls WritePart ok"]);
        foreach (var name in new[] {
            "Write ok", "BeginUpload ok", "CompleteUpload ok", "Read ok", "Read NotFound",
            "List ok", "Stat cancelled" })
        {
            Assert.Equal(1, seen["calls " + name]);
            Assert.True(seen.ContainsKey("duration " + name));
        }
    }

    [Fact]
    public async Task Injected_faults_strike_as_often_as_planned_and_the_same_for_the_same_seed()
    {
        async Task<string> RunAsync(ulong seed)
        {
            var faulty = new FaultyAccount(new InMemoryAccount(new InMemoryStore()), new FaultPlan(seed), time);
            var outcomes = new List<string>();
            for (var i = 0; i < 300; i++)
            {
                try
                {
                    await faulty.WriteAsync(EntryPath.Parse($"f{i % 10}"), new byte[i], WriteOptions.Default, default);
                    outcomes.Add("ok");
                }
                catch (VirgaException e)
                {
                    outcomes.Add($"{e.Kind}{e.RetryAfter}");
                    Assert.Contains($"seed {seed}", e.Message, StringComparison.Ordinal);
                }
            }
            Assert.InRange(faulty.FaultCount, 30, 90);
            return string.Join(' ', outcomes);
        }
        Assert.Equal(await RunAsync(1), await RunAsync(1));
        Assert.NotEqual(await RunAsync(1), await RunAsync(2));
    }

    [Fact]
    public async Task A_fault_before_has_no_effect_and_one_after_has()
    {
        var before = new FaultyAccount(
            new InMemoryAccount(store), new FaultPlan(1) { Before = 1, After = 0, InARowMax = 1 }, time);
        await Assert.ThrowsAsync<VirgaException>(
            async () => await before.WriteAsync(File, default, WriteOptions.Default, default));
        Assert.Null(await new InMemoryAccount(store).StatAsync(File, default));
        await before.WriteAsync(File, default, WriteOptions.Default, default);
        var after = new FaultyAccount(
            new InMemoryAccount(store), new FaultPlan(1) { Before = 0, After = 1, InARowMax = 1 }, time);
        await Assert.ThrowsAsync<VirgaException>(async () => await after.DeleteAsync(File, default));
        Assert.Null(await new InMemoryAccount(store).StatAsync(File, default));
    }

    [Fact]
    public async Task A_part_in_sequence_whose_answer_got_lost_is_looked_for_before_it_is_sent_again()
    {
        var traits = InMemoryAccount.DefaultTraits with { PartOrder = PartOrder.Sequence };
        // In memory, a part that came already can't come again: every fault after it tells.
        var faulty = new FaultyAccount(
            new InMemoryAccount(store, traits), new FaultPlan(3) { Before = 0.3, After = 0.4, InARowMax = 1 }, time);
        var account = faulty.WithCare(time, new Seeded(1).RandomBytes);
        await using var upload = await account.BeginUploadAsync(File, 400, 10, WriteOptions.Default, default);
        var receipts = new List<PartReceipt>();
        for (var i = 0; i < 40; i++) receipts.Add(await upload.WritePartAsync(i, Seeded.Bytes(10, (ulong)i), default));
        Assert.True(faulty.FaultCount > 10, $"{faulty.FaultCount}");
        await upload.CompleteAsync(receipts, default);
        await using var reader = await new InMemoryAccount(store).ReadAsync(File, new ByteRange(0, 400), null, default);
        var content = new byte[400];
        await reader.Content.ReadExactlyAsync(content);
        Assert.Equal(Enumerable.Range(0, 40).SelectMany(i => Seeded.Bytes(10, (ulong)i)), content);
    }

    [Fact]
    public async Task A_full_or_read_only_account_in_memory_says_so_and_changes_nothing()
    {
        store.CapacityBytes = 100;
        var account = new InMemoryAccount(store);
        await account.WriteAsync(File, new byte[80], WriteOptions.Default, default);
        await Failing.AsyncWith(
            FailureKind.Full,
            async () => await account.WriteAsync(EntryPath.Parse("b"), new byte[30], WriteOptions.Default, default));
        await account.WriteAsync(File, new byte[100], WriteOptions.Default, default);
        await using var upload = await account.BeginUploadAsync(
            EntryPath.Parse("b"), 10, 10, WriteOptions.Default, default);
        await Failing.AsyncWith(FailureKind.Full, async () => await upload.WritePartAsync(0, new byte[10], default));
        await account.DeleteAsync(File, default);
        Assert.Equal(0, store.UsedBytes);

        var readOnly = new InMemoryAccount(store, InMemoryAccount.DefaultTraits with { IsReadOnly = true });
        await Failing.AsyncWith(
            FailureKind.ReadOnly,
            async () => await readOnly.WriteAsync(File, new byte[1], WriteOptions.Default, default));
        await Failing.AsyncWith(FailureKind.ReadOnly, async () => await readOnly.DeleteAsync(File, default));
        await Failing.AsyncWith(FailureKind.ReadOnly, async () => await readOnly.CreateFolderAsync(File, default));
        await Failing.AsyncWith(
            FailureKind.ReadOnly, async () => await readOnly.BeginUploadAsync(
                File, 1, 1, WriteOptions.Default, default));
    }

    [Fact]
    public async Task Walking_holds_one_listing_per_level_open()
    {
        var account = new InMemoryAccount(store);
        for (var i = 0; i < 50; i++)
            await account.WriteAsync(EntryPath.Parse($"a/b{i}/c/d{i}"), default, WriteOptions.Default, default);
        var (open, most) = (0, 0);
        async IAsyncEnumerable<Entry> ListAsync(EntryPath folder)
        {
            InterlockedMax(ref most, ++open);
            try
            {
                await foreach (var entry in account.ListAsync(folder, default)) yield return entry;
            }
            finally
            {
                open--;
            }
        }
        var count = 0;
        await foreach (var _ in AccountAbilities.WalkAsync(ListAsync, EntryPath.Root, default)) count++;
        Assert.Equal((151, 4, 0), (count, most, open));
        await foreach (var _ in AccountAbilities.WalkAsync(ListAsync, EntryPath.Root, default))
        {
            if (open == 4) break;
        }
        Assert.Equal(0, open);
    }

    [Fact]
    public async Task A_folder_that_vanishes_during_a_walk_counts_as_empty()
    {
        var account = new InMemoryAccount(store);
        await account.CreateFolderAsync(EntryPath.Parse("a"), default);
        await account.CreateFolderAsync(EntryPath.Parse("b"), default);
        var seen = 0;
        await foreach (var entry in account.WalkAsync(EntryPath.Root))
        {
            seen++;
            await account.DeleteAsync(entry.Path, default);
        }
        Assert.Equal(2, seen);
        await Failing.AsyncWith(FailureKind.NotFound, async () =>
        {
            await foreach (var _ in account.WalkAsync(EntryPath.Parse("a"))) Assert.Fail("there is nothing");
        });
    }

    private static void InterlockedMax(ref int most, int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref most)) < value && Interlocked.CompareExchange(ref most, value, seen) != seen)
        {
        }
    }
}
