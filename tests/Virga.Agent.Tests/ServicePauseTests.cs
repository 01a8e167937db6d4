using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Accounts.Adapters.Disk;
using Virga.Accounts.Decorators;
using Virga.Agent.Control;
using Virga.Core;

namespace Virga.Agent.Tests;

/// <summary>Services that take only so much a day.</summary>
public sealed class ServicePauseTests
{
    [Fact]
    public async Task A_transfer_waits_while_the_service_takes_no_more_today_says_so_and_goes_on_from_there()
    {
        await using var network = await Network.StartAsync();
        var service = new DailyAdapter();
        network.MoreAdapters.Add(service);
        var owner = await network.AgentAsync("owner");
        var receiver = await network.AgentAsync("receiver");
        var file = Path.Combine(network.Folder("from/share"), "large.bin");
        var content = new byte[24 << 20];
        new Random(1).NextBytes(content);
        await File.WriteAllBytesAsync(file, content);
        await owner.AddAccountAsync("disk", network.Folder("from"));
        using var client = receiver.Client;
        await client.AddAccountAsync(
            new AccountAddRequest("daily", "daily:" + network.Folder("to"), new Dictionary<string, string>(),
                new Dictionary<string, string>()), default);
        service.BytesLeft = 10 << 20;
        var link = (await owner.ShareAsync("disk", "share", "link")).Link;

        var begun = await receiver.BeginAsync(link, "daily", "got");
        var waits = await receiver.UntilAsync(
            begun.Id, t => t.Status.Contains("it tries again at", StringComparison.Ordinal));
        Assert.Equal(TransferState.Waiting, waits.State);
        Assert.Contains("750 GB may be uploaded a day", waits.Status, StringComparison.Ordinal);
        // The part that was refused may have ended those that were still on their way.
        Assert.InRange(waits.BytesDone, 0, 10 << 20);

        // Not yet: it waits again.
        var before = service.Refused;
        await client.ResumeAsync(begun.Id, default);
        for (var tries = 0; service.Refused == before; tries++)
        {
            Assert.True(tries < 1_200, "it did not try again");
            await Task.Delay(50);
        }
        await receiver.UntilAsync(begun.Id, t => t.Status.Contains("it tries again at", StringComparison.Ordinal));
        service.BytesLeft = long.MaxValue;
        await client.ResumeAsync(begun.Id, default);
        var done = await receiver.WatchAsync(begun.Id);
        Assert.True(done.State == TransferState.Completed, done.Error?.Message);
        Assert.Equal(content, await File.ReadAllBytesAsync(network.PathOf("to/got/large.bin")));
        // Each of the two refusals may have ended what was on its way: how much that is, is the machine's affair.
        Assert.InRange(done.BytesFetched, done.BytesTotal, 3 * done.BytesTotal);
    }

    /// <summary>A folder on disk that takes so many bytes, then says what Google Drive says of its 750 GB.</summary>
    private sealed class DailyAdapter : IAccountAdapter
    {
        private readonly DiskAdapter disk = new(RandomNumberGenerator.Fill);
        private long bytesLeft = long.MaxValue;
        private int refused;

        public long BytesLeft
        {
            set => Volatile.Write(ref bytesLeft, value);
        }

        public int Refused => Volatile.Read(ref refused);

        public string Name => "daily";

        public IReadOnlyList<AccountSetting> Settings => disk.Settings;

        public AccountConfig ParseAddress(
            string address, IReadOnlyDictionary<string, string> settings,
            IReadOnlyDictionary<string, string> secrets) =>
            disk.ParseAddress("disk:" + address["daily:".Length..], settings, secrets) with { Adapter = Name };

        public string Describe(AccountConfig config) =>
            "daily:" + disk.Describe(config with { Adapter = disk.Name })["disk:".Length..];

        public async ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken) =>
            new Account(await disk.OpenAsync(config with { Adapter = disk.Name }, cancellationToken), this);

        private void Take(long bytes)
        {
            if (Interlocked.Add(ref bytesLeft, -bytes) >= 0) return;
            Interlocked.Add(ref bytesLeft, bytes);
            Interlocked.Increment(ref refused);
            throw new VirgaException(
                FailureKind.Throttled, "Google Drive asks us to slow down",
                "If it lasts: 750 GB may be uploaded a day.") { RetryAfter = TimeSpan.FromHours(1) };
        }

        private sealed class Account(IAccount inner, DailyAdapter service) : AccountDecorator(inner)
        {
            protected override ValueTask<T> CallAsync<T>(
                AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken)
            {
                if (call.Operation is AccountOperation.WritePart or AccountOperation.Write) service.Take(call.Bytes);
                return action(cancellationToken);
            }

            public override ValueTask<EntryReader> ReadAsync(
                EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken) =>
                Inner.ReadAsync(path, range, pin, cancellationToken);

            protected override IAsyncEnumerable<T> ListAsync<T>(
                AccountCall call, Func<CancellationToken, IAsyncEnumerable<T>> list, Func<T, string> key,
                CancellationToken cancellationToken) => list(cancellationToken);
        }
    }
}
