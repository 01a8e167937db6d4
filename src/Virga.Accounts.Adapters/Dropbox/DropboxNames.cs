namespace Virga.Accounts.Adapters.Dropbox;

/// <summary>Which names a Dropbox can hold, and when two are one.</summary>
internal static class DropboxNames
{
    /// <summary>
    /// help.dropbox.com, "Why aren't certain files on my computer syncing?": 255 characters; '/' and '\' can't be in a
    /// name; case and normalisation don't tell names apart. Trailing spaces and U+007F are refused as malformed.
    /// </summary>
    public static readonly NameRules Rules = new(
        Forbidden: "\\\u007f", IsCaseSensitive: false, KeepsNormalization: false, Reserved: WhyReserved);

    /// <summary>Whether two paths differ in case alone.</summary>
    public static bool AreOne(EntryPath a, EntryPath b) => Fold(a.Value) == Fold(b.Value);

    /// <summary>Whether <paramref name="path"/> lies below <paramref name="folder"/>.</summary>
    public static bool IsBelow(EntryPath path, EntryPath folder) =>
        Fold(path.Value).StartsWith(Fold(folder.Value) + "/", StringComparison.Ordinal);

    private static string Fold(string text) => text.ToLowerInvariant();

    // The same page: temporary and system files that Dropbox ignores; its API answers disallowed_name.
    private static string? WhyReserved(string name)
    {
        if (name[^1] == ' ') return "ends in ' ', which this account can't keep";
        var isReserved = name.ToLowerInvariant() is
            "desktop.ini" or "thumbs.db" or ".ds_store" or "icon\r" or ".dropbox" or ".dropbox.attr" or ".dropbox.cache"
            || name.StartsWith("~$", StringComparison.Ordinal) || name.StartsWith(".~", StringComparison.Ordinal)
            || (name.StartsWith('~') && name.EndsWith(".tmp", StringComparison.OrdinalIgnoreCase));
        return isReserved ? "is one that Dropbox never keeps (system and temporary files)" : null;
    }
}
