using Virga.Agent.Control;

namespace Virga.EndToEnd.Harness;

/// <summary>A folder for a test's files and the processes that it started; all of it gone at the end.</summary>
internal sealed class Scene : IAsyncDisposable
{
    private const string Memory = "/dev/shm";

    private readonly Stack<IAsyncDisposable> running = new();
    private readonly Dictionary<string, PeerProcess> peers = new(StringComparer.Ordinal);

    /// <summary>Short, since a Unix socket's path must be.</summary>
    public string Root { get; }

    /// <param name="inMemory">Where the machine has a file system in memory: nothing there waits for a disk.</param>
    public Scene(bool inMemory = false) => Root = inMemory && Directory.Exists(Memory)
        ? Directory.CreateDirectory(Path.Combine(Memory, $"virga-e2e-{Guid.NewGuid().ToString("n")[..8]}")).FullName
        : Directory.CreateTempSubdirectory("virga-e2e-").FullName;

    public PeerProcess this[string name] => peers[name];

    public string PathOf(string name) => Path.Combine(Root, name);

    public string Folder(string name) => Directory.CreateDirectory(PathOf(name)).FullName;

    public T Own<T>(T item) where T : IAsyncDisposable
    {
        running.Push(item);
        return item;
    }

    /// <summary>A repository alone.</summary>
    public Task<PeerProcess> RepositoryAsync(string name = "repo", params string[] more) =>
        StartAsync(name, ["repository", "--listen", "127.0.0.1:0", .. more]);

    /// <summary>An agent that uses the repositories.</summary>
    public Task<PeerProcess> AgentAsync(string name, IEnumerable<PeerProcess> repositories, params string[] more) =>
        StartAsync(name, ["up", "--no-repository",
            .. repositories.SelectMany(r => new[] { "--repository", r.Endpoint }), .. more]);

    /// <param name="prefix">What its command line begins with, e.g. to run it in another network.</param>
    public async Task<PeerProcess> StartAsync(
        string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null,
        IReadOnlyList<string>? prefix = null)
    {
        var peer = await PeerProcess.StartAsync(PathOf(name), PathOf(name + ".log"), arguments, environment, prefix);
        return peers[name] = Own(peer);
    }

    /// <summary>Adds a folder on disk as an account of the agent.</summary>
    public static Task AddDiskAsync(PeerProcess agent, string name, string folder) =>
        agent.Control.AddAccountAsync(
            new AccountAddRequest(name, "disk:" + folder, Map.Empty, Map.Empty), CancellationToken.None);

    /// <summary>Shares for one agent, whose chain may still be on its way to the repository.</summary>
    public static async Task<string> ShareAsync(PeerProcess owner, string place, PeerProcess reader)
    {
        for (var tries = 1; ; tries++)
        {
            var outcome = await Executable.RunAsync(owner.DataFolder, ["share", place, "--with", reader.Id]);
            if (outcome.Exit == 0) return outcome.Out.Trim();
            if (tries == 20 || !outcome.Error.Contains("nobody knows agent", StringComparison.Ordinal)) Assert.Fail(
                $"share {place}: {outcome}");
            await Task.Delay(250);
        }
    }

    public static async Task<TransferInfo> GetAsync(PeerProcess agent, string link, string account, string path) =>
        await WatchAsync(agent,
            (await agent.Control.StartTransferAsync(new TransferRequest(link, account, path), CancellationToken.None))
            .Id);

    public static async Task<TransferInfo> WatchAsync(PeerProcess agent, string id, TimeSpan? limit = null)
    {
        using var end = new CancellationTokenSource(limit ?? TimeSpan.FromMinutes(10));
        TransferInfo? last = null;
        try
        {
            await foreach (var info in agent.Control.WatchAsync(id, end.Token)) last = info;
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"transfer {id} did not end: {last}", e);
        }
        return last!;
    }

    /// <summary>The ends of all logs, for a failure's message.</summary>
    public string Logs() => string.Join("\n", peers.Select(p => $"--- log of {p.Key}\n{Tail(p.Value.ReadLog())}"));

    public async ValueTask DisposeAsync()
    {
        while (running.TryPop(out var item)) await item.DisposeAsync();
        // Not by the framework, which can't delete names that are not UTF-8.
        await Executable.ToolAsync("rm", ["-rf", Root]);
    }

    private static string Tail(string text) => text.Length <= 4000 ? text : text[^4000..];
}

internal static class Map
{
    public static readonly IReadOnlyDictionary<string, string> Empty = new Dictionary<string, string>();

    public static IReadOnlyDictionary<string, string> Of(params (string Name, string Value)[] items) =>
        items.ToDictionary(i => i.Name, i => i.Value);

    public static IReadOnlyDictionary<string, string> Of(params IEnumerable<KeyValuePair<string, string>> items) =>
        items.ToDictionary();
}
