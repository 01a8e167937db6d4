using Virga.Core;

namespace Virga.Accounts.Adapters;

/// <summary>What the account contract refuses whatever the service: in the same words for all of them.</summary>
internal static class AccountChecks
{
    /// <summary>BadInput unless a file or folder of that path can be made in the account.</summary>
    public static void CheckTarget(this AccountTraits traits, EntryPath path)
    {
        if (path.IsRoot) throw new VirgaException(FailureKind.BadInput, "the account's root is a folder, not a file");
        traits.Names.Check(path);
    }

    /// <summary>BadInput for the root, which is a folder.</summary>
    public static void CheckReadable(EntryPath path)
    {
        if (path.IsRoot)
            throw new VirgaException(FailureKind.BadInput, "the account's root is a folder: it has no bytes to read");
    }

    /// <summary>BadInput for a range that a file of that length hasn't got.</summary>
    public static void CheckRange(string what, ByteRange range, long length)
    {
        if (range.Offset < 0 || range.Length < 0 || range.End > length) throw BeyondEnd(what, range, length);
    }

    /// <summary>Changed unless it is the version that was asked for.</summary>
    public static void CheckPin(string what, Entry entry, EntryVersion? pin)
    {
        if (pin is { } wanted && entry.Version != wanted) throw Changed(what);
    }

    /// <summary>BadInput for a move of the root, or of a folder into itself.</summary>
    public static void CheckMove(string what, EntryPath from, EntryPath to)
    {
        if (from.IsRoot || to.IsRoot || to.IsWithin(from))
            throw new VirgaException(FailureKind.BadInput, $"{what}: a folder can't be moved into itself");
    }

    public static VirgaException BeyondEnd(string what, ByteRange range, long length) =>
        new(FailureKind.BadInput, $"{what}: the range {range} lies beyond its {length} bytes");

    public static VirgaException Changed(string what) =>
        new(FailureKind.Changed, $"{what}: it is no longer the version that was asked for");
}
