using Virga.Core;
using Virga.Hosting;
using Virga.Protocol;
using Virga.Storage;

namespace Virga.Repository;

/// <summary>The newest version of each feed, durable. The caller has checked signatures.</summary>
internal sealed class FeedStore(Database database, int feedsPerAgentMax)
{
    public const string SchemaSql = """
        CREATE TABLE feed(agent BLOB NOT NULL REFERENCES chain(agent), name TEXT NOT NULL, version INTEGER NOT NULL,
            body BLOB NOT NULL, sig BLOB NOT NULL, PRIMARY KEY(agent, name)) WITHOUT ROWID;
        """;

    /// <exception cref="VirgaException">
    /// Conflict: that version, with other content, or a newer one is held. Full.
    /// </exception>
    public ValueTask PutAsync(Feed feed, SignedEnvelope envelope, CancellationToken cancellationToken) =>
        database.WriteAsync(sql =>
    {
        var held = sql.First("SELECT version, body, sig FROM feed WHERE agent=?1 AND name=?2",
            static row => new HeldFeed(row.Long(0), new SignedEnvelope(row.Bytes(1), row.Bytes(2))),
            feed.Agent, feed.Name);
        if (held is not null)
        {
            // The same feed once more: its sender missed the answer.
            if (held.Version == feed.Version && held.Envelope.Body.AsSpan().SequenceEqual(envelope.Body)) return;
            if (held.Version >= feed.Version)
            {
                throw new VirgaException(FailureKind.Conflict,
                    $"the feed '{feed.Name}' has version {held.Version} here already",
                    $"Put a version above {held.Version}.");
            }
        }
        else if (sql.Scalar("SELECT count(*) FROM feed WHERE agent=?1", feed.Agent) >= feedsPerAgentMax)
        {
            throw new VirgaException(FailureKind.Full, $"one agent may have {feedsPerAgentMax} feeds here",
                "Use one of its feeds again, or another repository.");
        }

        sql.Execute(
            "INSERT INTO feed(agent,name,version,body,sig) VALUES(?1,?2,?3,?4,?5) "
                + "ON CONFLICT(agent,name) DO UPDATE SET version=?3, body=?4, sig=?5",
            feed.Agent, feed.Name, feed.Version, envelope.Body, envelope.Signature);
        ChainStore.Pin(sql, feed.Agent);
    }, cancellationToken);

    public ValueTask<SignedEnvelope?> FindAsync(AgentId agent, string name, CancellationToken cancellationToken) =>
        database.ReadAsync(
        sql => sql.First("SELECT body, sig FROM feed WHERE agent=?1 AND name=?2",
            static row => new SignedEnvelope(row.Bytes(0), row.Bytes(1)), agent, name), cancellationToken);

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(static sql => sql.Scalar("SELECT count(*) FROM feed"), cancellationToken);

    private sealed record HeldFeed(long Version, SignedEnvelope Envelope);
}
