using Virga.Benchmarks;

const int Failed = 1;
const int Usage = 2;

var benchmarks = typeof(IBenchmark).Assembly.GetTypes()
    .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IBenchmark)))
    .Select(type => (IBenchmark)Activator.CreateInstance(type)!)
    .OrderBy(bench => bench.Name, StringComparer.Ordinal)
    .ToList();

if (args.Length == 0 || args[0] is "-h" or "--help")
{
    Console.WriteLine("./bench NAME [ARGUMENTS]: measures, and prints one JSON object a line");
    foreach (var bench in benchmarks) Console.WriteLine($"  {bench.Name,-12} {bench.Summary}");
    return 0;
}

var chosen = benchmarks.Find(bench => bench.Name == args[0]);
if (chosen is null)
{
    var names = string.Join(", ", benchmarks.Select(bench => bench.Name));
    Console.Error.WriteLine($"bench: there is no benchmark '{args[0]}'; there are: {names}");
    return Usage;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};
// What was set up is taken away again also then.
using var ended = System.Runtime.InteropServices.PosixSignalRegistration.Create(
    System.Runtime.InteropServices.PosixSignal.SIGTERM, signal =>
    {
        signal.Cancel = true;
        stop.Cancel();
    });
try
{
    await foreach (var line in chosen.RunAsync(args[1..], stop.Token)) Console.WriteLine(line.ToJson());
    return 0;
}
catch (UsageException refused)
{
    Console.Error.WriteLine($"bench: {refused.Message}");
    return Usage;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    Console.Error.WriteLine("bench: stopped");
    return Failed;
}
catch (Exception failure)
{
    Console.Error.WriteLine($"bench: {chosen.Name} failed: {failure}");
    return Failed;
}
