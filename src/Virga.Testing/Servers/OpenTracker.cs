using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Virga.Testing.Servers;

/// <summary>
/// The tracker most of the world uses, on loopback, for given swarms: Debian's build serves only those that are listed.
/// It ends with this process, whose end closes the pipe that its keeper reads.
/// </summary>
public sealed class OpenTracker : IAsyncDisposable
{
    private const int Attempts = 10;

    private readonly Process keeper;
    private readonly string folder;

    private OpenTracker(Process keeper, string folder, IPEndPoint place)
    {
        this.keeper = keeper;
        this.folder = folder;
        Place = place;
    }

    /// <summary>TCP and UDP.</summary>
    public IPEndPoint Place { get; }

    public Uri Http => new($"http://{Place}/announce");

    public Uri Udp => new($"udp://{Place}/announce");

    /// <param name="swarms">Hashes that it serves, 40 hex digits each.</param>
    /// <param name="address">Where it listens; IPv4.</param>
    /// <param name="prefix">What the command line begins with, for a namespace or a core.</param>
    /// <param name="isReached">False where this process can't reach it, so that it is not awaited.</param>
    /// <param name="port">Null for a free one.</param>
    public static async Task<OpenTracker> StartAsync(
        IEnumerable<string> swarms, IPAddress? address = null, IReadOnlyList<string>? prefix = null,
        bool isReached = true, int? port = null, CancellationToken cancellationToken = default)
    {
        var folder = Directory.CreateTempSubdirectory("virga-opentracker-").FullName;
        // It gives up its rights, and then still reads the list.
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101);
        await File.WriteAllLinesAsync(
            Path.Combine(folder, "swarms"), swarms, cancellationToken);
        for (var attempt = 1; ; attempt++)
        {
            var place = new IPEndPoint(address ?? IPAddress.Loopback, port ?? FreePort());
            var tracker = new OpenTracker(Start(folder, place, prefix ?? []), folder, place);
            if (await tracker.IsUpAsync(isReached, cancellationToken)) return tracker;
            var said = await tracker.keeper.StandardError.ReadToEndAsync(cancellationToken);
            if (attempt < Attempts) continue;
            await tracker.DisposeAsync();
            throw new InvalidOperationException(
                $"opentracker does not start; ./test installs it if it is missing: {said}");
        }
    }

    /// <summary>The process that listens, for its figures.</summary>
    public int ProcessId { get; private set; }

    public async ValueTask DisposeAsync()
    {
        keeper.StandardInput.Close();
        await keeper.WaitForExitAsync();
        keeper.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private static Process Start(string folder, IPEndPoint place, IReadOnlyList<string> prefix)
    {
        const string life =
            "exec 3<&0; opentracker -i \"$1\" -p \"$2\" -P \"$2\" -d \"$0\" -w swarms >/dev/null & it=$!; echo $it; "
            + "(cat <&3; kill $it 2>/dev/null) & wait $it";
        var port = place.Port.ToString(CultureInfo.InvariantCulture);
        string[] line = [.. prefix, "sh", "-c", life, folder, place.Address.ToString(), port];
        var start = new ProcessStartInfo(line[0], line[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start) ?? throw new InvalidOperationException("sh did not start");
    }

    private async Task<bool> IsUpAsync(bool isReached, CancellationToken cancellationToken)
    {
        var id = await keeper.StandardOutput.ReadLineAsync(cancellationToken);
        ProcessId = int.Parse(id!, CultureInfo.InvariantCulture);
        while (isReached && !keeper.HasExited)
        {
            using var probe = new TcpClient();
            try
            {
                await probe.ConnectAsync(Place, cancellationToken);
                return !keeper.HasExited;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
            }
        }

        return !keeper.HasExited;
    }

    /// <summary>Free for TCP at this moment.</summary>
    private static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
