using Virga.Hosting;
using Virga.Storage;

namespace Virga.Repository;

/// <summary>
/// Where every statement that the repository accepts is put down, in the order of acceptance: what a transparency log
/// is built from (C2SP tlog-tiles).
/// </summary>
public interface IStatementLog
{
    /// <summary>
    /// Called inside the transaction that stores the statement, on the writer's thread, one statement at a time: both
    /// are kept or neither is. Must only use the session and be quick.
    /// </summary>
    void Append(SqlSession sql, AcceptedStatement statement);
}

/// <summary>Keeps nothing but the order.</summary>
public sealed class OrderLog : IStatementLog
{
    internal const string SchemaSql =
        "CREATE TABLE statement_order("
        + "number INTEGER PRIMARY KEY AUTOINCREMENT, agent BLOB NOT NULL, seq INTEGER NOT NULL);";

    public void Append(SqlSession sql, AcceptedStatement statement) =>
        sql.Execute("INSERT INTO statement_order(agent,seq) VALUES(?1,?2)", statement.Agent, statement.Seq);
}
