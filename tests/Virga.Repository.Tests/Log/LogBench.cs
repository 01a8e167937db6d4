using System.Security.Cryptography;
using System.Text;
using Virga.Core;
using Virga.Hosting;
using Virga.Repository.Log;
using Virga.Storage;
using Virga.Testing;
using Virga.Trust.Log;

namespace Virga.Repository.Tests.Log;

/// <summary>A log on a desk: database, folder and keys without a server, which can be crashed at any write.</summary>
internal sealed class LogBench : IAsyncDisposable
{
    public LogBench(string? folder = null) => Folder = folder ?? Some.Folder();

    public string Folder { get; private set; }

    public FakeTimeProvider Time { get; } = new();

    public PeerKeys Keys { get; private set; } = null!;

    public Database Database { get; private set; } = null!;

    public TransparencyLog Log { get; private set; } = null!;

    public string LogPath => Path.Combine(Folder, "log");

    /// <summary>Reads the folder as a plain file server would serve it.</summary>
    public C2spClient Client => new(
        path => Task.FromResult(File.Exists(Path.Combine(LogPath, path))
            ? File.ReadAllBytes(Path.Combine(LogPath, path)) : null),
        LogIdentity.OriginOf(Keys.Id), Keys.Identity.SigningKey.PublicKey.Bytes.ToArray());

    public async Task OpenAsync(Action<string>? step = null)
    {
        Keys ??= PeerKeys.LoadOrCreate(Folder, Time, RandomNumberGenerator.Fill);
        Database = Database.Open(Path.Combine(Folder, "repository.db"), RepositoryHost.Schema);
        try
        {
            Log = await TransparencyLog.OpenAsync(
                Database, new LogFolder(LogPath, step), Keys, Time, null, CancellationToken.None);
        }
        catch
        {
            await Database.DisposeAsync();
            throw;
        }
    }

    public async Task CloseAsync()
    {
        await Log.DisposeAsync();
        await Database.DisposeAsync();
    }

    /// <summary>Puts anything into the log of a repository that is not running, as one that lies could.</summary>
    public static async Task ForgeAsync(string folder, params IReadOnlyList<byte[]> entries)
    {
        var bench = new LogBench(folder);
        await bench.OpenAsync();
        await bench.Database.WriteAsync(sql => entries.ToList().ForEach(entry => bench.Log.Append(sql, entry)));
        await bench.Log.PublishAsync(CancellationToken.None);
        await bench.CloseAsync();
        bench.Keys.Dispose();
    }

    public static byte[] Entry(int number) => Encoding.ASCII.GetBytes($"entry {number}");

    public async Task AppendAsync(int from, int count) => await Database.WriteAsync(sql =>
    {
        for (var i = from; i < from + count; i++) Log.Append(sql, Entry(i));
    });

    public static void Copy(string from, string to)
    {
        foreach (var folder in Directory.GetDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        Keys.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
