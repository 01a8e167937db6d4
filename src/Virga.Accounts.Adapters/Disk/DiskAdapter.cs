using Virga.Core;

namespace Virga.Accounts.Adapters.Disk;

/// <summary>
/// Folders on this machine's disks: <c>disk:/srv/data</c>. Settings: <c>path</c> and <c>durable</c>. By default an
/// upload is synced to the device when it completes, while small files are written to a temporary file and renamed
/// without syncing each: a killed process loses nothing, a power cut may lose the last seconds. <c>durable=all</c>
/// syncs every file, <c>none</c> nothing.
/// </summary>
public sealed class DiskAdapter(RandomBytes random) : IAccountAdapter
{
    internal const string AdapterName = "disk";
    private const string Example = "disk:/srv/data";
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";

    public string Name => AdapterName;

    public IReadOnlyList<AccountSetting> Settings { get; } =
    [
        new("path", "The folder's absolute path", IsRequired: true),
        new("durable", "What is forced to the device: 'uploads' (large files, the default), 'all' or 'none'"),
    ];

    public AccountConfig ParseAddress(
        string address, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string> secrets)
    {
        if (!address.StartsWith("disk:", StringComparison.Ordinal))
            throw Bad($"'{address}' is no address of a folder on disk");
        var all = new Dictionary<string, string>(settings) { ["path"] = CheckedPath(address["disk:".Length..]) };
        if (all.Keys.FirstOrDefault(key => Settings.All(known => known.Name != key)) is { } unknown)
            throw Bad($"a disk account has no setting '{unknown}'");
        if (secrets.Count > 0) throw Bad("a disk account has no secrets");
        _ = DurabilityOf(all);
        return new AccountConfig(Name, all, new Dictionary<string, string>());
    }

    public string Describe(AccountConfig config) => "disk:" + config.Settings.GetValueOrDefault("path", "");

    public async ValueTask<IAccount> OpenAsync(AccountConfig config, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
            throw new VirgaException(
                FailureKind.Unsupported,
                "disk accounts need Linux",
                "Run the agent on Linux, or use rclone:/the/folder.");
        var path = CheckedPath(config.Settings.GetValueOrDefault("path", ""));
        var durability = DurabilityOf(config.Settings);
        var bootId = File.Exists(BootIdFile)
            ? (await File.ReadAllTextAsync(BootIdFile, cancellationToken)).Trim()
            : null;
        return await Task.Run(() => new DiskAccount(path, random, durability, bootId), cancellationToken);
    }

    private static DiskDurability DurabilityOf(IReadOnlyDictionary<string, string> settings) =>
        settings.GetValueOrDefault("durable") switch
    {
        null or "" or "uploads" => DiskDurability.Uploads,
        "all" or "true" => DiskDurability.All,
        "none" or "false" => DiskDurability.None,
        var other => throw Bad($"the setting durable is 'uploads', 'all' or 'none', not '{other}'"),
    };

    private static string CheckedPath(string path)
    {
        if (path.Length == 0) throw Bad("the address names no folder");
        if (path[0] != '/') throw Bad($"'{path}' is not an absolute path");
        if (path.Contains('\0') || path.Split('/').Contains(".."))
            throw Bad($"'{NameRules.Show(path)}' holds '..' or NUL");
        var trimmed = path.TrimEnd('/');
        return trimmed.Length == 0 ? "/" : trimmed;
    }

    private static VirgaException Bad(string message) =>
        new(FailureKind.BadInput, message, $"Give the folder's absolute path, as in '{Example}'.");
}
