using System.Text;

namespace Virga.Accounts.Adapters.OneDrive;

/// <summary>
/// Which names a OneDrive can hold (support.microsoft.com, "Restrictions and limitations in OneDrive and SharePoint"):
/// what Windows could hold, 255 characters a name and 400 a path. Case doesn't tell names apart.
/// </summary>
internal static class OneDriveNames
{
    private const int PathCharsMax = 400;

    /// <summary>
    /// The same page: at work what stands before the path on the server counts, /personal/NAME_DOMAIN/Documents or
    /// /sites/NAME/LIBRARY. How long that is isn't known before it is asked: room for a long one.
    /// </summary>
    private const int ServerFolderChars = 100;

    /// <summary>Room for "Apps" and the app's name, which its own folder lies below.</summary>
    private const int AppFolderChars = 100;

    private static readonly HashSet<string> Reserved = new(
        [
            ".lock", "con", "prn", "aux", "nul", "desktop.ini",
            .. Enumerable.Range(0, 10).SelectMany(i => new[] { $"com{i}", $"lpt{i}" }),
        ],
        StringComparer.OrdinalIgnoreCase);

    /// <param name="folder">The account's root, which counts in the length of a path.</param>
    public static NameRules Below(EntryPath folder, bool isAppFolder = false, bool isBusiness = false) => new(
        MaxPathBytes: PathCharsMax - Encoding.UTF8.GetByteCount(folder.Value) - 1
            - (isAppFolder ? AppFolderChars : 0) - (isBusiness ? ServerFolderChars : 0),
        Forbidden: "\"*:<>?/\\|",
        IsCaseSensitive: false,
        AllowsTrailingDotOrSpace: false,
        AllowsControl: false,
        KeepsNormalization: false,
        Reserved: WhyReserved);

    /// <summary>Whether a path is another one or lies below it, whatever the case.</summary>
    public static bool IsWithin(EntryPath path, EntryPath folder) =>
        (path.Value + "/").StartsWith(folder.Value + "/", StringComparison.OrdinalIgnoreCase);

    private static string? WhyReserved(string name) =>
        name[0] == ' ' ? "begins with ' ', which this account can't keep"
        : name[0] == '~' ? "begins with '~', which OneDrive keeps for temporary files"
        : Reserved.Contains(name) || name.Contains("_vti_", StringComparison.OrdinalIgnoreCase)
            ? "is one that OneDrive keeps for itself" : null;
}
