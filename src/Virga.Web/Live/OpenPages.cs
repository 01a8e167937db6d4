using Microsoft.AspNetCore.Components.Server.Circuits;

namespace Virga.Web.Live;

/// <summary>Counts the pages that are open, and tells when the last one is gone.</summary>
internal sealed class OpenPages(PageOptions options) : CircuitHandler
{
    private int open;

    public override Task OnCircuitOpenedAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref open);
        return Task.CompletedTask;
    }

    public override Task OnCircuitClosedAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        if (Interlocked.Decrement(ref open) == 0) options.Emptied?.Invoke();
        return Task.CompletedTask;
    }
}
