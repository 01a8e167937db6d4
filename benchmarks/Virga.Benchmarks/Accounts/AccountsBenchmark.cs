using System.Globalization;
using System.Runtime.CompilerServices;

namespace Virga.Benchmarks.Accounts;

/// <summary>
/// Accounts against rclone on the same real servers, in turns: Ceph's S3 gateway, Apache's WebDAV, OpenSSH's SFTP. Both
/// open their connections anew each time, rclone with the flags that serve it best.
/// </summary>
public sealed class AccountsBenchmark : IBenchmark
{
    private static readonly string[] Services = ["s3", "webdav", "sftp"];

    public string Name => "accounts";

    public string Summary => "listing, large and small files on S3, WebDAV and SFTP servers, against rclone";

    public async IAsyncEnumerable<BenchLine> RunAsync(
        IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken token)
    {
        var numbers = new Dictionary<string, int> { ["--rounds"] = 1, ["--files"] = 5_000, ["--entries"] = 100_000 };
        var chosen = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            if (numbers.ContainsKey(arguments[i]) && i + 1 < arguments.Count
                && int.TryParse(arguments[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number > 0)
                numbers[arguments[i++]] = number;
            else chosen.Add(arguments[i]);
        }
        foreach (var name in chosen)
        {
            if (Services.Any(s => name == s || name.EndsWith("-" + s, StringComparison.Ordinal))) continue;
            throw new UsageException(
                "accounts takes --rounds N, --files N (small ones), --entries N (listed), services "
                    + $"({string.Join(", ", Services)}) and cases such as {AccountRounds.Cases[0]}-{Services[0]}, "
                    + $"not '{name}'");
        }
        foreach (var service in Services)
        {
            var cases = AccountRounds.Cases.Where(
                c => chosen.Count == 0 || chosen.Contains(service) || chosen.Contains($"{c}-{service}")).ToList();
            if (cases.Count == 0) continue;
            await using var rounding = await AccountRounds.StartAsync(
                service, numbers["--files"], numbers["--entries"], token);
            foreach (var which in cases) yield return await rounding.RunAsync(Name, which, numbers["--rounds"], token);
        }
    }
}
