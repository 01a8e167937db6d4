using Virga.EndToEnd.StockClients;
using Xunit.Abstractions;

namespace Virga.EndToEnd.Harness;

/// <summary>
/// Classes that take minutes begin first, those that mostly wait before those that compute: so no core is left to one
/// of them alone in the end.
/// </summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Longest =
    [
        nameof(StockMatrixTests), nameof(PageTests), nameof(DiskCrashTests), nameof(RealServersTests),
        nameof(BadInputTests), nameof(S3CrashTests), nameof(UtpTests), nameof(NetworkFaultTests),
    ];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(static collection =>
        {
            // A class that is in no collection by name is one of its own, named after it.
            var at = Array.FindIndex(
                Longest, name => collection.DisplayName.EndsWith("." + name, StringComparison.Ordinal));
            return at < 0 ? Longest.Length : at;
        });
}
