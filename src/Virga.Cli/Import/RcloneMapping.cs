using Virga.Core;

namespace Virga.Cli.Import;

/// <summary>What an account of ours for a remote looks like.</summary>
/// <param name="Why">Why it goes through rclone, where there is an adapter of ours; null otherwise.</param>
internal sealed record MappedRemote(
    string Address, IReadOnlyDictionary<string, string> Settings, IReadOnlyDictionary<string, string> Secrets,
    string? Why)
{
    /// <summary>Shows the address alone.</summary>
    public override string ToString() => Address;
}

/// <summary>
/// Turns remotes into accounts: of an adapter of ours where all that the remote sets carries over, otherwise through
/// rclone, which keeps every setting.
/// </summary>
internal sealed class RcloneMapping(IReadOnlyList<RcloneRemote> remotes, string? configFile, string? password)
{
    private const int AliasesMax = 8;

    private static readonly Dictionary<string, string> None = [];

    /// <param name="path">Bucket or folder in the remote; "" for its root.</param>
    /// <exception cref="VirgaException">BadInput: a password that rclone didn't write, aliases in a circle.</exception>
    public MappedRemote Map(RcloneRemote remote, string path)
    {
        var through = ThroughRclone(remote, path);
        var (at, inside) = Resolve(remote, path);
        if (at is null) return inside.StartsWith('/') ? Disk(inside) : through;
        return at.Type switch
        {
            "s3" => S3(at, inside, through),
            "webdav" => WebDav(at, inside, through),
            _ when RcloneClouds.Map(at, inside, through) is { } cloud => cloud,
            "local" => inside.StartsWith('/') && at["encoding"] is null
                ? Disk(inside)
                : through with { Why = "no folder was named: --select " + remote.Name + ":/folder" },
            _ => through,
        };
    }

    private MappedRemote ThroughRclone(RcloneRemote remote, string path)
    {
        var settings = configFile is null ? None : new Dictionary<string, string> { ["config"] = configFile };
        var secrets = password is null ? None : new Dictionary<string, string> { ["configPass"] = password };
        return new MappedRemote($"rclone:{remote.Name}:{path}", settings, secrets, null);
    }

    private static MappedRemote Disk(string path) => new("disk:" + path, None, None, null);

    /// <summary>
    /// Follows aliases: to a remote and a folder in it, or to a folder of this machine and no remote.
    /// </summary>
    private (RcloneRemote? Remote, string Path) Resolve(RcloneRemote remote, string path)
    {
        for (var followed = 0; remote.Type == "alias" && remote["remote"] is { } target; followed++)
        {
            if (followed == AliasesMax)
            {
                throw new VirgaException(
                    FailureKind.BadInput, $"the remote '{remote.Name}' is an alias of itself",
                    "Put it right with `rclone config`.");
            }
            if (target.StartsWith('/')) return (null, Join(target, path));
            var colon = target.IndexOf(':');
            if (colon < 0 || remotes.FirstOrDefault(r => r.Name == target[..colon]) is not { } next)
                return (null, "");
            (remote, path) = (next, Join(target[(colon + 1)..], path));
        }
        return (remote, path);
    }

    private static string Join(string folder, string path) =>
        path.Length == 0 ? folder : folder.Length == 0 ? path : $"{folder.TrimEnd('/')}/{path}";

    private static MappedRemote S3(RcloneRemote remote, string path, MappedRemote through)
    {
        if (Other(
            remote, "provider", "access_key_id", "secret_access_key", "session_token", "region", "endpoint",
            "force_path_style", "location_constraint", "no_check_bucket", "env_auth", "acl", "v2_auth") is { } other)
        {
            return through with { Why = $"its setting {other} has no like here" };
        }
        if (remote["env_auth"] == "true") return through with { Why = "it takes its keys from elsewhere (env_auth)" };
        if (remote["v2_auth"] == "true") return through with { Why = "it signs in an old way (v2_auth)" };
        if (remote["acl"] is not (null or "private")) return through with { Why = "it gives rights to others (acl)" };
        if (path.Trim('/').Length == 0)
            return through with { Why = $"no bucket was named: --select {remote.Name}:BUCKET" };
        if (Endpoint(remote) is not { } endpoint) return through with { Why = "it names no endpoint" };
        var settings = new Dictionary<string, string>();
        if (remote["region"] is { } region && region != "other-v2-signature") settings["region"] = region;
        if (remote["force_path_style"] is { } style) settings["pathStyle"] = style;
        var secrets = new Dictionary<string, string>();
        Copy(remote, secrets, ("access_key_id", "accessKey"), ("secret_access_key", "secretKey"),
            ("session_token", "sessionToken"));
        return new MappedRemote($"s3:{endpoint}/{Encode(path)}", settings, secrets, null);
    }

    private static string? Endpoint(RcloneRemote remote)
    {
        if (remote["endpoint"] is { } named)
            return (named.Contains("://", StringComparison.Ordinal) ? named : "https://" + named).TrimEnd('/');
        return remote["provider"] is null or "AWS"
            ? remote["region"] is { } region ? $"https://s3.{region}.amazonaws.com" : "https://s3.amazonaws.com"
            : null;
    }

    private static MappedRemote WebDav(RcloneRemote remote, string path, MappedRemote through)
    {
        if (Other(remote, "url", "vendor", "user", "pass", "bearer_token", "nextcloud_chunk_size") is { } other)
            return through with { Why = $"its setting {other} has no like here" };
        if (remote["vendor"] is { } vendor && vendor.StartsWith("sharepoint", StringComparison.Ordinal))
            return through with { Why = "it is a SharePoint, which has ways of its own" };
        if (remote["url"] is not { } url || !Uri.TryCreate(url, UriKind.Absolute, out var uri)
            || uri.Scheme is not ("http" or "https") || uri.UserInfo.Length > 0 || uri.Query.Length > 0)
        {
            return through with { Why = "its URL holds more than a host and a path" };
        }
        var settings = new Dictionary<string, string>();
        var secrets = new Dictionary<string, string>();
        if (remote["bearer_token"] is { } token) secrets["token"] = token;
        else if (remote["user"] is { } user)
        {
            settings["user"] = user;
            if (remote["pass"] is { } pass)
                secrets["password"] = RcloneObscured.Reveal(pass, $"the password of '{remote.Name}'");
        }
        var scheme = uri.Scheme == Uri.UriSchemeHttps ? "webdavs" : "webdav";
        var folder = Encode(path);
        var root = uri.AbsoluteUri[uri.Scheme.Length..].TrimEnd('/');
        return new MappedRemote(scheme + root + (folder.Length > 0 ? "/" + folder : ""), settings, secrets, null);
    }

    internal static void Copy(
        RcloneRemote remote, Dictionary<string, string> to, params ReadOnlySpan<(string From, string To)> names)
    {
        foreach (var (from, name) in names)
            if (remote[from] is { } value) to[name] = value;
    }

    /// <summary>The first setting beyond those that carry over.</summary>
    internal static string? Other(RcloneRemote remote, params ReadOnlySpan<string> known)
    {
        foreach (var name in remote.Values.Keys)
        {
            if (name is "type" or "description" || remote[name] is null || known.Contains(name)) continue;
            return name;
        }
        return null;
    }

    internal static string Encode(string path) =>
        string.Join('/', path.Trim('/').Split('/').Select(Uri.EscapeDataString));
}
