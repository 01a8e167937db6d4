namespace Virga.Agent.Control;

/// <param name="Passphrase">Of at least 12 characters; nobody opens the file without it.</param>
public sealed record BackupRequest(string Passphrase)
{
    /// <summary>Names nothing: the passphrase must not get into logs.</summary>
    public override string ToString() => nameof(BackupRequest);
}

/// <param name="Agent">Whose backup it is: the one that answers once the agent has started anew.</param>
/// <param name="Time">When the backup was made.</param>
public sealed record RestoreResult(string Agent, DateTimeOffset Time);
