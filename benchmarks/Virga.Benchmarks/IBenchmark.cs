namespace Virga.Benchmarks;

/// <summary>
/// One benchmark of <c>./bench NAME</c>. Any class of this program that implements this, with a constructor without
/// parameters, is found by itself.
/// </summary>
public interface IBenchmark
{
    /// <summary>What is typed after <c>./bench</c>: lower case, one word.</summary>
    string Name { get; }

    /// <summary>One line for the list that <c>./bench</c> prints.</summary>
    string Summary { get; }

    /// <summary>Measures, yielding each line as soon as it is known. Logs, if any, go to stderr.</summary>
    /// <param name="arguments">
    /// What stood behind the name; unknown ones are refused with <see cref="UsageException"/>.
    /// </param>
    IAsyncEnumerable<BenchLine> RunAsync(IReadOnlyList<string> arguments, CancellationToken token);
}

/// <summary>Wrong arguments, or something that the benchmark needs is missing here: exit code 2.</summary>
public sealed class UsageException(string message) : Exception(message);
