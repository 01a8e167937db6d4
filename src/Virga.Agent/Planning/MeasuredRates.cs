using Virga.Agent.State;
using Virga.Transfers.Planning;

namespace Virga.Agent.Planning;

/// <summary>
/// How fast transfers were, as the agent remembers it: one mean for a route, its source and the account.
/// </summary>
internal sealed class MeasuredRates(AgentState state, TimeProvider time)
{
    /// <summary>A migration of the agent's database.</summary>
    public const string SchemaSql =
        """
        CREATE TABLE route_rates (
            route TEXT NOT NULL, source TEXT NOT NULL, account TEXT NOT NULL, bytes_per_second INTEGER NOT NULL,
            measured INTEGER NOT NULL, PRIMARY KEY (route, source, account)
        ) WITHOUT ROWID;

        """;

    /// <summary>Sources come and go: those that were not used the longest are forgotten.</summary>
    private const int KeptMax = 4096;

    public async ValueTask<RateTable> LoadAsync(CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            db => db.Query(
                "SELECT route, source, account, bytes_per_second FROM route_rates",
                row => (Route: row.Text(0), Source: row.Text(1), Account: row.Text(2), Rate: row.Long(3))),
            cancellationToken);
        var table = new Dictionary<RateKey, double>();
        foreach (var row in rows)
            if (RouteNames.Find(row.Route) is { } kind) table[new RateKey(kind, row.Source, row.Account)] = row.Rate;
        return new RateTable(table);
    }

    public async ValueTask NoteAsync(RateKey key, long bytes, TimeSpan took, CancellationToken cancellationToken)
    {
        var rates = await LoadAsync(cancellationToken);
        if (RateTable.Next(rates.Find(key), bytes, took) is not { } rate) return;
        await state.Database.WriteAsync(
            db =>
            {
                db.Execute(
                    "INSERT OR REPLACE INTO route_rates (route, source, account, bytes_per_second, measured) "
                        + "VALUES (?, ?, ?, ?, ?)",
                    RouteNames.NameOf(key.Route), key.Source, key.Account, Math.Max(1, (long)rate), time.GetUtcNow());
                db.Execute(
                    "DELETE FROM route_rates WHERE (route, source, account) NOT IN "
                        + "(SELECT route, source, account FROM route_rates ORDER BY measured DESC LIMIT ?)",
                    KeptMax);
            },
            cancellationToken);
    }
}
