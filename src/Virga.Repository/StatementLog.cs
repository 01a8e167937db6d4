using Virga.Hosting;
using Virga.Storage;

namespace Virga.Repository;

/// <summary>
/// Told of every statement that the repository accepts, in the order of acceptance.
/// </summary>
public interface IStatementLog
{
    /// <summary>
    /// Called inside the transaction that stores the statement, on the writer's thread, one statement at a time: both
    /// are kept or neither is. Must only use the session and be quick.
    /// </summary>
    void Append(SqlSession sql, AcceptedStatement statement);
}

/// <summary>
/// What earlier versions kept: nothing but the order. The transparency log takes it in and leaves it empty.
/// </summary>
internal static class OrderLog
{
    internal const string SchemaSql =
        "CREATE TABLE statement_order("
        + "number INTEGER PRIMARY KEY AUTOINCREMENT, agent BLOB NOT NULL, seq INTEGER NOT NULL);";
}
