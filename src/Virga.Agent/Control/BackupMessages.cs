namespace Virga.Agent.Control;

/// <param name="Passphrase">Of at least 12 characters; nobody opens the file without it.</param>
public sealed record BackupRequest(string Passphrase)
{
    /// <summary>Names nothing: the passphrase must not get into logs.</summary>
    public override string ToString() => nameof(BackupRequest);
}
