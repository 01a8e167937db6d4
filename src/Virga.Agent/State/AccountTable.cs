using System.Text;
using System.Text.Json;
using Virga.Accounts;
using Virga.Core;
using Virga.Storage;

namespace Virga.Agent.State;

/// <summary>The accounts that this agent may use, as they are stored.</summary>
internal sealed class AccountTable(AgentState state, TimeProvider time)
{
    public async ValueTask AddAsync(string name, AccountConfig config, CancellationToken cancellationToken)
    {
        var added = await state.Database.WriteAsync(
            db => db.Execute(
                "INSERT INTO accounts (name, adapter, settings, secrets, created, generation) "
                    + "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                name, config.Adapter, Text(config.Settings), Box(name, config.Secrets), time.GetUtcNow(),
                NewGeneration()),
            cancellationToken);
        if (added == 0)
        {
            throw new VirgaException(
                FailureKind.Conflict, $"there is an account '{name}' already",
                $"Choose another name, or remove it first: virga account remove {name}");
        }
    }

    /// <summary>Gives an account that is there another configuration of the same adapter.</summary>
    public async ValueTask ChangeAsync(string name, AccountConfig config, CancellationToken cancellationToken)
    {
        var changed = await state.Database.WriteAsync(
            db => db.Execute(
                "UPDATE accounts SET settings = ?, secrets = ?, generation = ? WHERE name = ? AND adapter = ?",
                Text(config.Settings), Box(name, config.Secrets), NewGeneration(), name, config.Adapter),
            cancellationToken);
        if (changed == 0) throw Gone(name);
    }

    public async ValueTask<List<(string Name, AccountConfig Config)>> ListAsync(CancellationToken cancellationToken)
    {
        var rows = await state.Database.ReadAsync(
            db => db.Query("SELECT name, adapter, settings, secrets, generation FROM accounts ORDER BY name",
                row => (
                    Name: row.Text(0), Adapter: row.Text(1), Settings: row.Text(2), Box: row.Bytes(3),
                    Generation: row.Long(4))),
            cancellationToken);
        return
        [
            .. rows.Select(r => (r.Name, new AccountConfig(
                r.Adapter, Read(Encoding.UTF8.GetBytes(r.Settings)), Read(state.Unseal(r.Box, Place(r.Name))))
            {
                Name = r.Name, Store = new SecretStore(this, r.Name, r.Generation),
            })),
        ];
    }

    public async ValueTask<bool> RemoveAsync(string name, CancellationToken cancellationToken) =>
        await state.Database.WriteAsync(
            db => db.Execute("DELETE FROM accounts WHERE name = ?", name), cancellationToken) > 0;

    private async ValueTask ReplaceAsync(
        string name, long generation, IReadOnlyDictionary<string, string> replaced,
        CancellationToken cancellationToken)
    {
        var isThere = await state.Database.WriteAsync(
            db =>
            {
                var box = db.First(
                    "SELECT secrets FROM accounts WHERE name = ? AND generation = ?", row => row.Bytes(0),
                    name, generation);
                if (box is null) return false;
                var secrets = Read(state.Unseal(box, Place(name)));
                foreach (var (key, value) in replaced) secrets[key] = value;
                db.Execute(
                    "UPDATE accounts SET secrets = ? WHERE name = ? AND generation = ?",
                    Box(name, secrets), name, generation);
                return true;
            },
            cancellationToken);
        if (!isThere) throw Gone(name);
    }

    private long NewGeneration()
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        state.Random(bytes);
        return BitConverter.ToInt64(bytes);
    }

    private byte[] Box(string name, IReadOnlyDictionary<string, string> secrets) => state.Seal(
        JsonSerializer.SerializeToUtf8Bytes(secrets.ToDictionary(), StateJson.Default.DictionaryStringString),
        Place(name));

    private static string Text(IReadOnlyDictionary<string, string> settings) =>
        JsonSerializer.Serialize(settings.ToDictionary(), StateJson.Default.DictionaryStringString);

    private static Dictionary<string, string> Read(byte[] json) =>
        JsonSerializer.Deserialize(json, StateJson.Default.DictionaryStringString)!;

    private static string Place(string name) => $"secrets of account {name}";

    private static VirgaException Gone(string name) => new(
        FailureKind.NotFound, $"the account '{name}' was removed or linked anew meanwhile",
        "See the accounts with: virga account list");

    /// <summary>
    /// Of an account as it was read: what is open from before it was linked anew, or removed and added again, replaces
    /// nothing of the new one.
    /// </summary>
    private sealed class SecretStore(AccountTable table, string name, long generation) : ISecretStore
    {
        public ValueTask ReplaceAsync(
            IReadOnlyDictionary<string, string> replaced, CancellationToken cancellationToken) =>
            table.ReplaceAsync(name, generation, replaced, cancellationToken);
    }
}
