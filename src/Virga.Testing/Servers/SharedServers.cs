namespace Virga.Testing.Servers;

/// <summary>
/// One server of each kind for a whole test process, started by the first test that wants it and stopped when the
/// process ends. Tests share it: each makes a bucket or folder of its own.
/// </summary>
public static class SharedServers
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, Task<RealServer>> Started = new(StringComparer.Ordinal);

    /// <summary>
    /// Ceph's S3 gateway: S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY and the same with S3_OTHER_ and S3_FULL_.
    /// </summary>
    public static Task<RealServer> CephAsync() => StartedAsync("ceph-s3.sh");

    /// <summary>
    /// Apache mod_dav over TLS: DAV_URL, DAV_USER, DAV_PASSWORD, DAV_CERT_SHA256, DAV_FILES, DAV_FULL, DAV_LOG.
    /// </summary>
    public static Task<RealServer> ApacheAsync() => StartedAsync("apache-dav.sh");

    /// <summary>
    /// Azurite: AZURE_ENDPOINT, AZURE_ACCOUNT, AZURE_KEY and the same with AZURE_OTHER_.
    /// </summary>
    public static Task<RealServer> AzuriteAsync() => StartedAsync("azurite.sh");

    /// <summary>
    /// OpenSSH: SFTP_ADDRESS, SFTP_USER, SFTP_PORT, SFTP_KEY, SFTP_LOCKED_KEY, SFTP_PASSPHRASE, SFTP_HOST_KEY,
    /// SFTP_FILES, SFTP_FULL, SFTP_PID.
    /// </summary>
    public static Task<RealServer> OpenSshAsync() => StartedAsync("openssh-sftp.sh");

    private static Task<RealServer> StartedAsync(string script)
    {
        lock (Gate)
        {
            if (!Started.TryGetValue(script, out var server)) Started[script] = server = RealServer.StartAsync(script);
            return server;
        }
    }
}
