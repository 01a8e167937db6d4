using Virga.Core;

namespace Virga.Accounts.Adapters.Sftp;

/// <summary>Status codes of the protocol (draft-ietf-secsh-filexfer-02, 7).</summary>
internal enum SftpStatus
{
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    NoConnection = 6,
    ConnectionLost = 7,
    Unsupported = 8,
}

/// <summary>A request that the server refused; its meaning depends on what was asked.</summary>
internal sealed class SftpRefusal(SftpStatus status, string message) : Exception(message)
{
    public SftpStatus Status { get; } = status;
}

/// <summary>What the server and <c>ssh</c> say, as failures for people.</summary>
internal static class SftpFailures
{
    public static VirgaException Of(string what, SftpRefusal refusal) => refusal.Status switch
    {
        SftpStatus.NoSuchFile => new VirgaException(FailureKind.NotFound, $"can't {what}: it isn't there"),
        SftpStatus.PermissionDenied => new VirgaException(
            FailureKind.Denied, $"can't {what}: the server's permissions don't allow it",
            "Give the user the right to it on the server, or choose another folder."),
        SftpStatus.Unsupported => new VirgaException(
            FailureKind.Unsupported, $"can't {what}: the server doesn't know how to", "Use another server or account."),
        SftpStatus.NoConnection or SftpStatus.ConnectionLost => new VirgaException(
            FailureKind.Unavailable, $"can't {what}: the server lost its storage", "Try again later."),
        _ => new VirgaException(
            FailureKind.Unavailable, $"can't {what}: the server says '{NameRules.Show(refusal.Message)}'",
            "Look into the server's log if it stays."),
    };

    /// <summary>Why ssh ended before, or instead of, an answer.</summary>
    /// <param name="said">All that it wrote to standard error.</param>
    public static VirgaException OfConnection(SftpSettings settings, string said)
    {
        bool Says(string text) => said.Contains(text, StringComparison.OrdinalIgnoreCase);
        var server = settings.Host;
        if (Says("REMOTE HOST IDENTIFICATION HAS CHANGED") || Says("no matching host key type found")
            || (Says("Host key verification failed") && settings.HostKey is not null))
        {
            return new VirgaException(
                FailureKind.Denied, $"{server} shows another key than the one that is known of it",
                "Somebody may be in the middle, or the server was set up anew: ask its owner, "
                    + "then set hostKey to the new one.");
        }
        if (Says("Host key verification failed") || Says("host key is known"))
        {
            return new VirgaException(
                FailureKind.Denied, $"the key of {server} is not known yet",
                $"Ask its owner for it, or look with ssh-keyscan {server}, and set hostKey to it; "
                    + "or log in once with ssh.");
        }
        if (Says("UNPROTECTED PRIVATE KEY FILE"))
        {
            return new VirgaException(
                FailureKind.BadInput, $"others may read the private key {settings.Key}",
                $"Run: chmod 600 {settings.Key}");
        }
        if (Says("not accessible: No such file"))
        {
            return new VirgaException(
                FailureKind.BadInput, $"there is no private key {settings.Key} on the agent's machine",
                "Set key to where it is.");
        }
        if (Says("Permission denied (") || Says("Too many authentication failures") || Says("incorrect passphrase"))
        {
            var how = settings.Secret is null
                ? "Give a key with the setting key, or the secret password."
                : settings.IsPassword
                    ? "Check user and password; some servers take keys alone."
                    : "Check user, key and passphrase.";
            var who = settings.User is { } user ? $" of {user}" : "";
            return new VirgaException(FailureKind.Unauthenticated, $"{server} refuses the login{who}", how);
        }
        if (Says("subsystem request failed"))
        {
            return new VirgaException(
                FailureKind.Unsupported, $"{server} offers no SFTP",
                "Its owner can turn it on: Subsystem sftp internal-sftp.");
        }
        if (Says("Could not resolve hostname"))
        {
            return new VirgaException(
                FailureKind.Unavailable, $"the name {server} can't be found",
                "Check the address and this machine's name server.");
        }
        var last = said.Split('\n', StringSplitOptions.TrimEntries).LastOrDefault(line => line.Length > 0);
        return new VirgaException(
            FailureKind.Unavailable,
            $"{server} can't be reached: {(last is null ? "the connection broke" : NameRules.Show(last))}",
            "Check the address, the port and that the server is up.");
    }
}
