using System.Runtime.InteropServices;
using Virga.Cli;
using Virga.Cli.Terminals;

using var stopping = new CancellationTokenSource();
// The first signal stops gracefully, the second at once.
void Stop(PosixSignalContext context)
{
    if (stopping.IsCancellationRequested) return;
    context.Cancel = true;
    _ = stopping.CancelAsync();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
return await CommandLine.RunAsync(args, Terminal.OfProcess(), stopping.Token);
