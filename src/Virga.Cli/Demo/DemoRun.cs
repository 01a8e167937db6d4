using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Demo;

/// <summary>What the demo found out, as <c>virga demo --json</c> prints it.</summary>
internal sealed record DemoResult(
    bool Holds, int Files, long Bytes, double TransferSeconds, bool ArrivedWhole, long RecordedBytes, int PiecesSought,
    int PiecesFound, bool StrangerRefused, double Seconds);

/// <summary>The main job from begin to end, told to whoever watches.</summary>
internal sealed class DemoRun(Invocation run) : IAsyncDisposable
{
    private const string FolderName = "holiday";

    private readonly string home = Directory.CreateTempSubdirectory("virga-demo-").FullName;
    private readonly Stack<IAsyncDisposable> running = new();
    private readonly long began = Stopwatch.GetTimestamp();
    private PeerProcess ann = null!;
    private PeerProcess bob = null!;
    private PeerProcess mallory = null!;
    private Recorder recorder = null!;
    private int step;

    private string AnnsCloud => Path.Combine(home, "anns-cloud");

    private string BobsCloud => Path.Combine(home, "bobs-cloud");

    private Paint Paint => run.Terminal.OutPaint;

    /// <summary>Does everything once; what was started goes on running until this is disposed.</summary>
    public async Task<DemoResult> ProveAsync(CancellationToken cancellationToken)
    {
        Line(Paint.Bold("Two people's clouds exchange a folder"));
        await StartAsync(cancellationToken);
        var before = await MakeFolderAsync(cancellationToken);
        var link = await ShareAsync(cancellationToken);
        var transfer = await GetAsync(link, cancellationToken);
        var isWhole = await CompareAsync(before, cancellationToken);
        var (recorded, sought, found) = await StealAsync(before, cancellationToken);
        var isRefused = await RefuseStrangerAsync(link, cancellationToken);
        var result = new DemoResult(
            isWhole && found == 0 && recorded > before.Bytes && isRefused, before.Files, before.Bytes,
            ((transfer.Ended ?? transfer.Created) - transfer.Created).TotalSeconds, isWhole, recorded, sought, found,
            isRefused, Stopwatch.GetElapsedTime(began).TotalSeconds);
        Line();
        Line(result.Holds
            ? Paint.Green($"The proof holds. It took {Display.Took(Stopwatch.GetElapsedTime(began))}.")
            : Paint.Red("The proof does not hold: see above."));
        return result;
    }

    /// <summary>What a person can try while everything still runs.</summary>
    public void ShowNext()
    {
        var virga = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? "virga" : "./virga";
        Line();
        Line("Everything still runs. Try in another terminal:");
        Line($"  {virga} shares --data {home}/ann");
        Line($"  {virga} ls cloud:from-ann --data {home}/bob");
        Line($"  echo changed >> '{AnnsCloud}/{FolderName}/an empty file'");
        Line($"  {virga} share cloud:{FolderName} --data {home}/ann \\");
        Line($"    --with {bob.Up.Id} \\");
        Line($"    | {virga} get - cloud:second --data {home}/bob");
        Line($"  {virga} doctor --data {home}/bob");
        Line();
        Line("Ctrl-C ends it and removes its folders.");
    }

    public async ValueTask DisposeAsync()
    {
        while (running.TryPop(out var item)) await item.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        Step("A repository and two agents start, each a process of its own");
        var repository = await StartPeerAsync("repository", "repository", cancellationToken);
        var annsAddress = new IPEndPoint(IPAddress.Loopback, FreePort());
        recorder = new Recorder(annsAddress, Path.Combine(home, "recording"));
        running.Push(recorder);
        string[] common = ["--no-repository", "--repository", repository.Up.Endpoint];
        var started = await Task.WhenAll(
            StartPeerAsync(
                "ann", "up", cancellationToken,
                [
                    .. common, "--listen", annsAddress.ToString(), "--forwarded",
                    "--public-url", $"https://127.0.0.1:{recorder.Port}",
                ]),
            StartPeerAsync("bob", "up", cancellationToken, common),
            StartPeerAsync("mallory", "up", cancellationToken, common));
        (ann, bob, mallory) = (started[0], started[1], started[2]);
        Detail($"repository  process {repository.Up.Process}  {Paint.Cyan(repository.Up.Endpoint.Split('!')[0])}");
        Detail($"Ann         process {ann.Up.Process}  {Paint.Cyan(Display.Short(ann.Up.Id))}");
        Detail($"Bob         process {bob.Up.Process}  {Paint.Cyan(Display.Short(bob.Up.Id))}");
        Directory.CreateDirectory(Path.Combine(AnnsCloud, FolderName));
        Directory.CreateDirectory(BobsCloud);
        Directory.CreateDirectory(Path.Combine(home, "mallorys-cloud"));
        await AddAccountAsync(ann, AnnsCloud, cancellationToken);
        await AddAccountAsync(bob, BobsCloud, cancellationToken);
        await AddAccountAsync(mallory, Path.Combine(home, "mallorys-cloud"), cancellationToken);
    }

    private async Task<TreeDigest> MakeFolderAsync(CancellationToken cancellationToken)
    {
        Step("Ann has a folder in her cloud");
        var folder = Path.Combine(AnnsCloud, FolderName);
        await Task.Run(() => DemoFolder.Make(folder), cancellationToken);
        var tree = await TreeDigest.OfAsync(folder, cancellationToken);
        Detail(
            $"{Display.Files(tree.Files)}, {Display.Count(tree.Folders, "folder", "folders")}, "
            + $"{Display.Count(tree.Symlinks, "symlink", "symlinks")}, {Display.Bytes(tree.Bytes)}; names such as");
        Detail(string.Join("  ", DemoFolder.Shown.Select(n => $"\"{Display.Safe(n)}\"")));
        Detail(Paint.Dim("Both clouds are folders on this disk, since nothing else ships; S3, WebDAV and rclone"));
        Detail(Paint.Dim("accounts work alike, and need their servers: virga account add --help"));
        return tree;
    }

    private async Task<string> ShareAsync(CancellationToken cancellationToken)
    {
        Step("Ann shares it with Bob alone");
        Command($"virga share cloud:{FolderName} --with {Display.Short(bob.Up.Id)}");
        var request = new ShareRequest("cloud", FolderName, "agents", [bob.Up.Id]);
        await foreach (var line in ann.Control.ShareAsync(request, cancellationToken))
        {
            if (line.Error is { } error) throw ControlClient.ToException(error);
            if (line.Result is not { } share) continue;
            Detail(Paint.Cyan(Display.Fit(share.Link, 90)));
            return share.Link;
        }
        throw new VirgaException(FailureKind.Unavailable, "Ann's agent stopped before the share was made");
    }

    private async Task<TransferInfo> GetAsync(string link, CancellationToken cancellationToken)
    {
        Step("Bob brings it into his cloud");
        Command("virga get LINK cloud:from-ann");
        var view = new ProgressView(run.Terminal);
        var request = new TransferRequest(link, "cloud", "from-ann");
        var transfer = await bob.Control.StartTransferAsync(request, cancellationToken);
        await foreach (var update in bob.Control.WatchAsync(transfer.Id, cancellationToken))
        {
            transfer = update;
            if (!run.IsJson && run.Terminal.IsErrorTerminal)
            {
                view.Show(new ProgressRow(
                    "   from-ann", update.BytesDone, update.BytesTotal, update.BytesPerSecond, " " + update.Status));
            }
        }
        view.Clear();
        if (transfer.Error is { } error) throw ControlClient.ToException(error);
        var took = (transfer.Ended ?? transfer.Created) - transfer.Created;
        Check(
            transfer.State == TransferState.Completed,
            $"{Display.Files(transfer.FilesDone)}, {Display.Bytes(transfer.BytesTotal)} in {Display.Took(took)}; "
            + "Bob's agent verified every leaf as it came");
        return transfer;
    }

    private async Task<bool> CompareAsync(TreeDigest before, CancellationToken cancellationToken)
    {
        Step("Did it arrive whole? Both folders are read again, with nothing of Virga's own");
        var after = await TreeDigest.OfAsync(Path.Combine(BobsCloud, "from-ann"), cancellationToken);
        var differences = before.DifferencesTo(after).ToList();
        Check(
            differences.Count == 0 && after.Files > 0,
            $"{Display.Files(after.Files)}, {Display.Count(after.Folders, "folder", "folders")}, "
            + $"{Display.Count(after.Symlinks, "symlink", "symlinks")}: names, SHA-256, times and modes are equal");
        foreach (var difference in differences.Take(10)) Detail(Paint.Red(Display.Safe(difference)));
        return differences.Count == 0 && after.Files > 0;
    }

    private async Task<(long Recorded, int Sought, int Found)> StealAsync(
        TreeDigest tree, CancellationToken cancellationToken)
    {
        Step("What would a thief in the middle have seen? All that went between Bob and Ann was recorded");
        await recorder.FlushAsync(cancellationToken);
        var recording = await File.ReadAllBytesAsync(recorder.File, cancellationToken);
        ShowBytes(recording.AsSpan(recording.Length / 2));
        var folder = Path.Combine(AnnsCloud, FolderName);
        var search = await Task.Run(() => PlaintextSearch.For(folder, tree), cancellationToken);
        var sought = search.Names + search.Samples;
        var known = await Task.Run(() => search.CountInFolder(folder), cancellationToken);
        var found = await Task.Run(() => search.CountIn(recording), cancellationToken);
        Check(
            known == sought,
            $"sought: {search.Names:#,0} names, {search.Samples:#,0} pieces of plaintext; "
            + "all turn up in Ann's own folder");
        Check(found == 0, $"found in the {Display.Bytes(recording.Length)} recorded: {found}");
        var kept = await Task.Run(() => search.CountInFolder(Path.Combine(home, "repository")), cancellationToken);
        kept += Directory.EnumerateFiles(home, "*.log").Sum(search.CountIn);
        Check(kept == 0, $"found in what the repository keeps, and in all logs: {kept}");
        if (known != sought)
            throw new VirgaException(FailureKind.Corrupt, "the search itself does not work: it misses what is there");
        return (recording.Length, sought, found + kept);
    }

    private async Task<bool> RefuseStrangerAsync(string link, CancellationToken cancellationToken)
    {
        Step("And a thief who has the link? Mallory's agent asks Ann's for the share");
        var request = new TransferRequest(link, "cloud", "stolen");
        var transfer = await mallory.Control.StartTransferAsync(request, cancellationToken);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(10));
        await foreach (var update in mallory.Control.WatchAsync(transfer.Id, patience.Token))
        {
            transfer = update;
            if (update.State != TransferState.Running && update.State != TransferState.Waiting) break;
        }
        var stolen = await TreeDigest.OfAsync(Path.Combine(home, "mallorys-cloud"), cancellationToken);
        var isRefused = transfer.State == TransferState.Failed && stolen.Files == 0;
        Check(isRefused, isRefused ? "refused, as if there were no such share" : "Mallory got it");
        return isRefused;
    }

    private async Task<PeerProcess> StartPeerAsync(
        string name, string verb, CancellationToken cancellationToken, params string[] arguments)
    {
        var peer = await PeerProcess.StartAsync(name, verb, Path.Combine(home, name), cancellationToken, arguments);
        lock (running) running.Push(peer);
        return peer;
    }

    private static async Task AddAccountAsync(PeerProcess peer, string folder, CancellationToken cancellationToken) =>
        await peer.Control.AddAccountAsync(
            new AccountAddRequest(
                "cloud", "disk:" + folder, new Dictionary<string, string>(), new Dictionary<string, string>()),
            cancellationToken);

    /// <summary>Free a moment ago: good enough for a child that says so when it isn't any more.</summary>
    private static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    private void ShowBytes(ReadOnlySpan<byte> bytes)
    {
        for (var at = 0; at < 48 && at + 16 <= bytes.Length; at += 16)
        {
            var row = bytes.Slice(at, 16);
            var text = new StringBuilder(16);
            foreach (var value in row) text.Append(value is >= 0x20 and < 0x7F ? (char)value : '.');
            var hex = string.Join(' ', Convert.ToHexStringLower(row).Chunk(2).Select(c => new string(c)));
            Detail(Paint.Dim($"{hex}  {text}"));
        }
    }

    private void Step(string what)
    {
        Line();
        Line(string.Create(CultureInfo.InvariantCulture, $"{Paint.Bold($"{++step}")}  {what}"));
    }

    private void Command(string command) => Detail($"{Paint.Dim("$")} {command}");

    private void Check(bool isGood, string what) =>
        Detail($"{(isGood ? Paint.Green(Paint.IsOn ? "✓" : "ok") : Paint.Red(Paint.IsOn ? "✗" : "PROBLEM"))} {what}");

    private void Detail(string line) => Line("   " + line);

    private void Line(string line = "")
    {
        if (!run.IsJson) run.Print(line);
    }
}
