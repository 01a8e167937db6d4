namespace Virga.Accounts.Adapters.Drive;

/// <summary>
/// One at a time for each path. A service whose names are no keys would otherwise make two of what two tasks make at
/// once.
/// </summary>
internal sealed class PathLocks
{
    private readonly Dictionary<EntryPath, Gate> gates = [];

    public async ValueTask<IDisposable> EnterAsync(EntryPath path, CancellationToken cancellationToken)
    {
        Gate? gate;
        lock (gates)
        {
            if (!gates.TryGetValue(path, out gate)) gates[path] = gate = new Gate();
            gate.Users++;
        }
        try
        {
            await gate.Turn.WaitAsync(cancellationToken);
        }
        catch
        {
            Leave(path, gate);
            throw;
        }
        return new Held(this, path, gate);
    }

    private void Leave(EntryPath path, Gate gate)
    {
        lock (gates)
        {
            if (--gate.Users > 0) return;
            gates.Remove(path);
            gate.Turn.Dispose();
        }
    }

    private sealed class Gate
    {
        public readonly SemaphoreSlim Turn = new(1, 1);
        public int Users;
    }

    private sealed class Held(PathLocks owner, EntryPath path, Gate gate) : IDisposable
    {
        public void Dispose()
        {
            gate.Turn.Release();
            owner.Leave(path, gate);
        }
    }
}
