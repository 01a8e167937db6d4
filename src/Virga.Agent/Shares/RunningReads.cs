using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Virga.Core;

namespace Virga.Agent.Shares;

/// <summary>
/// The reads that trusted agents have under way, so that one who is cut off gets nothing more, not even the rest of an
/// answer.
/// </summary>
internal sealed class RunningReads
{
    private readonly ConcurrentDictionary<HttpContext, (AgentId Agent, int Reach)> running = [];

    public int Count => running.Count;

    /// <summary>Call it before it is decided whether the agent may read: then no cut falls in between.</summary>
    public IDisposable Enter(HttpContext http, AgentId agent, int reach)
    {
        running[http] = (agent, reach);
        return new Leave(this, http);
    }

    /// <summary>Ends the reads of those who are not admitted; returns how many.</summary>
    public int Cut(Func<AgentId, int, bool> isAdmitted)
    {
        var cut = 0;
        foreach (var (http, (agent, reach)) in running)
        {
            if (isAdmitted(agent, reach)) continue;
            http.Abort();
            cut++;
        }
        return cut;
    }

    private sealed class Leave(RunningReads reads, HttpContext http) : IDisposable
    {
        public void Dispose() => reads.running.TryRemove(http, out _);
    }
}
