using System.Diagnostics.CodeAnalysis;
using Virga.Accounts;
using Virga.Core;
using Virga.Core.Age;

namespace Virga.Content;

/// <summary>What holds for every list of entries, whoever made it (spec/v1/content.md, Manifest).</summary>
internal static class ManifestRules
{
    public const string Advice = "The share was damaged or made by a faulty program; ask its owner to share it again.";

    public static void Check(IReadOnlyList<ManifestEntry> entries, bool isPrivate)
    {
        if (entries.Count > ContentLimits.EntriesMax)
            throw Bad($"it has {entries.Count} entries, {ContentLimits.EntriesMax} are the most");
        // The files and links before whose path is a beginning of the current one, the longest on top, and their
        // lengths: only they can stand above it, and they do where the path goes on with a slash.
        var open = new Stack<string>();
        var lengths = new HashSet<int>();
        string? last = null;
        foreach (var entry in entries)
        {
            var path = entry.Path.Value;
            if (path.Length == 0) throw Bad("an entry has no path");
            if (last is not null && Utf8Order.Compare(last, path) >= 0)
                throw Bad($"'{Show(path)}' is not behind '{Show(last)}'");
            CheckFields(entry, isPrivate);
            while (open.Count > 0 && !path.StartsWith(open.Peek(), StringComparison.Ordinal))
                lengths.Remove(open.Pop().Length);
            for (var slash = path.IndexOf('/'); slash >= 0; slash = path.IndexOf('/', slash + 1))
            {
                if (lengths.Contains(slash))
                    throw Bad($"'{Show(path)}' stands below '{Show(path[..slash])}', which is no folder");
            }
            if (entry.Kind != EntryKind.Folder)
            {
                open.Push(path);
                lengths.Add(path.Length);
            }
            last = path;
        }
    }

    /// <summary>A path for an error message: short, and without what could forge a line of a log.</summary>
    public static string Show(string path)
    {
        const int shownMax = 200;
        var shown = path.Length > shownMax ? string.Concat(path.AsSpan(0, shownMax - 3), "...") : path;
        return string.Create(shown.Length, shown, static (target, text) =>
        {
            for (var i = 0; i < text.Length; i++) target[i] = char.IsControl(text[i]) ? '\uFFFD' : text[i];
        });
    }

    public static VirgaException Bad(string what) => new(FailureKind.BadInput, $"manifest: {what}", Advice);

    private static void CheckFields(ManifestEntry entry, bool isPrivate)
    {
        var isFile = entry.Kind == EntryKind.File;
        var hasContent = isFile && entry.Size > 0;
        if (entry.Size is < 0 or > ContentLimits.BlobBytesMax) Fail(entry, $"has a size of {entry.Size} bytes");
        if (!isFile && entry.Size != 0) Fail(entry, "has a size and is no file");
        if (!isFile && entry.IsExecutable) Fail(entry, "is executable and no file");
        if (hasContent != entry.Root is not null)
            Fail(entry, hasContent ? "has no root" : "has a root without content");
        if ((hasContent && isPrivate) != entry.Header is not null)
            Fail(entry, entry.Header is null ? "has no header" : "has a header it must not have");
        if ((entry.Header is null) != (entry.Nonce is null)) Fail(entry, "must have both header and nonce or neither");
        if (entry.Header is { Length: 0 or > AgeHeader.MaxBytes })
            Fail(entry, $"has a header of {entry.Header.Length} bytes");
        if (entry.Nonce is not (null or { Length: AgePayload.NonceBytes }))
            Fail(entry, $"has a nonce of {entry.Nonce.Length} bytes");
        if ((entry.Kind == EntryKind.Symlink) != entry.LinkTarget is not null)
            Fail(entry, entry.LinkTarget is null ? "is a link without a target" : "has a target and is no link");
        if (entry.LinkTarget is { } target
            && (target.Length == 0 || target.Contains('\0') || target.Length > EntryPath.MaxBytes))
            Fail(entry, "is a link whose target is empty, too long or holds a NUL");
        if (entry.Kind == EntryKind.Symlink && entry.ModifiedNs is not null) Fail(entry, "is a link with a time");
    }

    [DoesNotReturn]
    private static void Fail(ManifestEntry entry, string why) => throw Bad($"'{Show(entry.Path.Value)}' {why}");
}
