using System.Text.Json;
using Virga.Core;

namespace Virga.Cli.Import;

/// <summary>
/// Remotes of the services with an adapter of ours beside S3 and WebDAV (rclone.org/sftp, /drive, /dropbox, /onedrive,
/// /b2, /azureblob, /googlecloudstorage: "Standard options" and "Advanced options").
/// </summary>
internal static class RcloneClouds
{
    /// <summary>Null for a type that none of ours is for.</summary>
    public static MappedRemote? Map(RcloneRemote remote, string path, MappedRemote through) => remote.Type switch
    {
        "sftp" => Sftp(remote, path, through),
        "drive" => Drive(remote, path, through),
        "dropbox" => Linked(remote, "dropbox:" + path.Trim('/'), through, []),
        "onedrive" => OneDrive(remote, path, through),
        "b2" => B2(remote, path, through),
        "azureblob" => Azure(remote, path, through),
        "google cloud storage" => Gcs(remote, path, through),
        _ => null,
    };

    private static MappedRemote Sftp(RcloneRemote remote, string path, MappedRemote through)
    {
        // What only says how rclone finds out hashes is none of ours: it reads what it wrote.
        if (RcloneMapping.Other(
            remote, "host", "user", "port", "pass", "key_file", "key_file_pass", "shell_type", "md5sum_command",
            "sha1sum_command", "disable_hashcheck") is { } other) return Lacks(through, other);
        if (remote["host"] is not { } host) return through with { Why = "it names no host" };
        var settings = new Dictionary<string, string>();
        var secrets = new Dictionary<string, string>();
        if (remote["pass"] is { } pass)
        {
            if (remote["key_file"] is not null)
                return through with { Why = "it has both a password and a key" };
            secrets["password"] = RcloneObscured.Reveal(pass, $"the password of '{remote.Name}'");
        }
        if (remote["key_file"] is { } key)
        {
            if (!key.StartsWith('/')) return through with { Why = "its key_file is no absolute path" };
            settings["key"] = key;
        }
        if (remote["key_file_pass"] is { } phrase)
            secrets["passphrase"] = RcloneObscured.Reveal(phrase, $"the key's passphrase of '{remote.Name}'");
        var user = remote["user"] is { } name ? Uri.EscapeDataString(name) + "@" : "";
        var port = remote["port"] is { } number and not "22" ? ":" + number : "";
        var folder = RcloneMapping.Encode(path);
        // rclone's paths begin in the user's own folder, unless with a slash.
        var place = path.StartsWith('/') ? "/" + folder : folder.Length > 0 ? "/~/" + folder : "/~";
        return new MappedRemote($"sftp://{user}{host}{port}{place}", settings, secrets, null);
    }

    private static MappedRemote Drive(RcloneRemote remote, string path, MappedRemote through)
    {
        if (remote["team_drive"] is not null)
            return through with { Why = "it is a shared drive of a team, which rclone's own ways fit best" };
        if (remote["service_account_file"] is not null || remote["service_account_credentials"] is not null)
            return through with { Why = "it signs in by a service account" };
        (string Name, string Value)[] settings = remote["root_folder_id"] is { } root ? [("rootId", root)] : [];
        var access = remote["scope"] switch
        {
            null or "drive" => "full",
            "drive.readonly" => "read-only",
            "drive.file" => "own-files",
            _ => null,
        };
        return access is null
            ? through with { Why = $"its scope {remote["scope"]} has no like here" }
            : Linked(remote, "drive:" + path.Trim('/'), through, [.. settings, ("access", access)],
                "root_folder_id", "scope", "team_drive");
    }

    private static MappedRemote OneDrive(RcloneRemote remote, string path, MappedRemote through)
    {
        if (remote["drive_type"] is not (null or "personal" or "business" or "documentLibrary"))
            return through with { Why = $"its drive_type {remote["drive_type"]} has no like here" };
        if (remote["region"] is not (null or "global"))
            return through with { Why = "it is in a national cloud (region)" };
        var settings = new List<(string Name, string Value)>();
        if (remote["drive_id"] is { } id) settings.Add(("driveId", id));
        if (remote["drive_type"] is { } type) settings.Add(("driveType", type));
        return Linked(
            remote, "onedrive:" + path.Trim('/'), through, [.. settings], "drive_id", "drive_type", "region");
    }

    /// <summary>
    /// With its client and refresh token; without a client of its own it used rclone's, whose secret is rclone's alone.
    /// </summary>
    private static MappedRemote Linked(
        RcloneRemote remote, string address, MappedRemote through, (string Name, string Value)[] settings,
        params ReadOnlySpan<string> known)
    {
        if (RcloneMapping.Other(remote, [.. known, "client_id", "client_secret", "token"]) is { } other)
            return Lacks(through, other);
        if (remote["client_id"] is not { } client)
            return through with { Why = "it was linked by rclone's own client: link it with one of yours instead" };
        if (RefreshToken(remote) is not { } token) return through with { Why = "it has no refresh token" };
        var all = settings.ToDictionary(s => s.Name, s => s.Value);
        all["clientId"] = client;
        var secrets = new Dictionary<string, string> { ["refreshToken"] = token };
        RcloneMapping.Copy(remote, secrets, ("client_secret", "clientSecret"));
        return new MappedRemote(address, all, secrets, null);
    }

    private static MappedRemote B2(RcloneRemote remote, string path, MappedRemote through)
    {
        if (RcloneMapping.Other(remote, "account", "key") is { } other) return Lacks(through, other);
        if (path.Trim('/').Length == 0) return NoBucket(remote, through);
        var secrets = new Dictionary<string, string>();
        RcloneMapping.Copy(remote, secrets, ("account", "keyId"), ("key", "applicationKey"));
        return secrets.Count < 2
            ? through with { Why = "it has no key" }
            : new MappedRemote("b2:" + path.Trim('/'), new Dictionary<string, string>(), secrets, null);
    }

    private static MappedRemote Azure(RcloneRemote remote, string path, MappedRemote through)
    {
        if (RcloneMapping.Other(remote, "account", "key", "endpoint") is { } other) return Lacks(through, other);
        if (path.Trim('/').Length == 0) return NoBucket(remote, through);
        if (remote["account"] is not { } account || remote["key"] is not { } key)
            return through with { Why = "it has no account and key" };
        var host = remote["endpoint"] is { } named
            ? named.Contains("://", StringComparison.Ordinal) ? named : "https://" + named
            : "https://blob.core.windows.net";
        if (!Uri.TryCreate(host, UriKind.Absolute, out var uri) || uri.AbsolutePath != "/")
            return through with { Why = "its endpoint holds more than a host" };
        // rclone puts the account before the endpoint that it is given.
        return new MappedRemote(
            $"azure:{uri.Scheme}://{account}.{uri.Authority}/{RcloneMapping.Encode(path)}",
            new Dictionary<string, string>(), new Dictionary<string, string> { ["accountKey"] = key }, null);
    }

    private static MappedRemote Gcs(RcloneRemote remote, string path, MappedRemote through)
    {
        if (path.Trim('/').Length == 0) return NoBucket(remote, through);
        var address = "gcs:" + path.Trim('/');
        // Where new buckets would lie and what they would be is no matter for one that is there.
        string[] ofNewBuckets = ["project_number", "location", "storage_class", "bucket_acl", "bucket_policy_only"];
        if (remote["service_account_credentials"] is not { } key)
        {
            return remote["service_account_file"] is not null
                ? through with { Why = "its key lies in a file (service_account_file): add it with that instead" }
                : Linked(remote, address, through, [], ofNewBuckets);
        }
        return RcloneMapping.Other(remote, [.. ofNewBuckets, "service_account_credentials"]) is { } other
            ? Lacks(through, other)
            : new MappedRemote(
                address, new Dictionary<string, string>(),
                new Dictionary<string, string> { ["serviceAccountKey"] = key }, null);
    }

    private static string? RefreshToken(RcloneRemote remote)
    {
        try
        {
            using var token = JsonDocument.Parse(remote["token"] ?? "{}");
            return token.RootElement.TryGetProperty("refresh_token", out var refresh)
                && refresh.GetString() is { Length: > 0 } text ? text : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new VirgaException(
                FailureKind.BadInput, $"the token of '{remote.Name}' is none that rclone wrote",
                $"Sign in again: rclone config reconnect {remote.Name}:", e);
        }
    }

    private static MappedRemote Lacks(MappedRemote through, string setting) =>
        through with { Why = $"its setting {setting} has no like here" };

    private static MappedRemote NoBucket(RcloneRemote remote, MappedRemote through) =>
        through with { Why = $"no bucket was named: --select {remote.Name}:BUCKET" };
}
