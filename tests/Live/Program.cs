namespace Virga.Live;

internal static class Program
{
    public static async Task<int> Main(string[] arguments)
    {
        using var stopped = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) =>
        {
            // What was written is removed first; a second Ctrl-C ends the process at once.
            if (stopped.IsCancellationRequested) return;
            pressed.Cancel = true;
            stopped.Cancel();
        };
        return await LiveRun.RunAsync(
            arguments, Environment.GetEnvironmentVariables().Keys.Cast<string>().ToDictionary(
                name => name, name => Environment.GetEnvironmentVariable(name) ?? "", StringComparer.Ordinal),
            Console.Out, Console.Error, stopped.Token);
    }
}
