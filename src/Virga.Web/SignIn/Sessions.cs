using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Virga.Agent.State;
using Virga.Core;

namespace Virga.Web.SignIn;

/// <summary>
/// The browsers that are signed in. A session that is ended is cut at once, with what is open of it.
/// </summary>
internal sealed class Sessions(SignInTable table, TimeProvider time, RandomBytes random)
{
    private const int DeviceCharactersMax = 120;
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(14);
    private static readonly TimeSpan NotedEvery = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<Hash256, PageSession> known = new();
    private readonly ConcurrentDictionary<HttpContext, Hash256> open = new();

    /// <summary>A new session's secret, for its cookie.</summary>
    public async Task<string> BeginAsync(string device, string address, CancellationToken cancellationToken)
    {
        var token = Secrets.Token(random);
        var now = time.GetUtcNow();
        if (device.Length > DeviceCharactersMax) device = device[..DeviceCharactersMax];
        var session = new PageSession(Secrets.Hash(token), now, now, now + Lifetime, device, address);
        await table.AddAsync(session, cancellationToken);
        known[session.Id] = session;
        return token;
    }

    /// <summary>Null where there is none, or it has ended.</summary>
    public async ValueTask<PageSession?> FindAsync(string token, CancellationToken cancellationToken)
    {
        var id = Secrets.Hash(token);
        var now = time.GetUtcNow();
        if (!known.TryGetValue(id, out var session))
        {
            session = (await table.SessionsAsync(now, cancellationToken)).Find(s => s.Id == id);
            if (session is null) return null;
            known[id] = session;
        }
        if (session.Ends <= now)
        {
            known.TryRemove(id, out _);
            return null;
        }
        // A clock that went back must not keep it from being noted for long.
        if ((now - session.Seen).Duration() < NotedEvery) return session;
        session = session with { Seen = now, Ends = now + Lifetime };
        known[id] = session;
        await table.SeenAsync(id, session.Seen, session.Ends, cancellationToken);
        return session;
    }

    public async Task<List<PageSession>> ListAsync(CancellationToken cancellationToken) =>
        await table.SessionsAsync(time.GetUtcNow(), cancellationToken);

    /// <param name="id">Null: all but <paramref name="except"/>.</param>
    public async Task EndAsync(Hash256? id, Hash256? except, CancellationToken cancellationToken)
    {
        await table.EndAsync(id, except, cancellationToken);
        foreach (var other in known.Keys.Where(k => id is { } one ? k == one : k != except))
            known.TryRemove(other, out _);
        foreach (var (context, session) in open)
            if (id is { } one ? session == one : session != except) context.Abort();
    }

    /// <summary>While the request runs, the end of its session ends it.</summary>
    public async Task RunAsync(HttpContext http, Hash256 session, RequestDelegate next)
    {
        open[http] = session;
        try
        {
            await next(http);
        }
        finally
        {
            open.TryRemove(http, out _);
        }
    }
}
