using Virga.Core;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>An rclone account's configuration, checked.</summary>
/// <param name="Remote">As rclone takes it, "remote:folder" or "/folder".</param>
internal sealed record RcloneSettings(string Remote, string? Config, string Binary, string? ConfigPass)
{
    private const string DefaultBinary = "rclone";

    public static readonly IReadOnlyList<AccountSetting> Known =
    [
        new("remote", "A remote of rclone's configuration and a folder in it, e.g. drive:photos", IsRequired: true),
        new("config", "rclone's configuration file, where it isn't at rclone's usual place"),
        new("binary", "The rclone program, where it isn't on the PATH"),
        new("configPass", "The password of an encrypted rclone configuration", IsSecret: true),
    ];

    public static RcloneSettings From(AccountConfig config)
    {
        var settings = new SettingsReader(config, Known, RcloneAdapter.Form);
        return new RcloneSettings(
            CheckedRemote(settings.Required("remote")),
            settings.Optional("config"),
            settings.Optional("binary") ?? DefaultBinary,
            settings.Optional("configPass"));
    }

    public static string CheckedRemote(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (text.Contains('\0', StringComparison.Ordinal) || (colon <= 0 && !text.StartsWith('/')))
            throw new VirgaException(
                FailureKind.BadInput, $"'{NameRules.Show(text)}' is no remote of rclone", RcloneAdapter.Form);
        if (!text.StartsWith('/') && text.AsSpan(0, colon).ContainsAny(",[]\"'"))
        {
            throw new VirgaException(
                FailureKind.BadInput,
                "the remote has options in it, which may be secret and would be shown",
                "Make a remote with these options by `rclone config`, and give its name.");
        }
        var folder = text.StartsWith('/') ? text : text[(colon + 1)..];
        return EntryPath.TryParse(folder.Trim('/'), out _)
            ? text.TrimEnd('/') is { Length: > 0 } trimmed ? trimmed : "/"
            : throw new VirgaException(
                FailureKind.BadInput, $"'{NameRules.Show(folder)}' is no folder of a remote", RcloneAdapter.Form);
    }
}
