using Virga.Core;

namespace Virga.Accounts;

/// <summary>In which order an upload takes its parts.</summary>
public enum PartOrder { Any, Sequence }

/// <summary>What of an upload survives the process that began it.</summary>
public enum UploadResume
{
    /// <summary>Nothing: a new process begins anew.</summary>
    None,
    /// <summary>Every part whose receipt was kept.</summary>
    Parts,
}

/// <summary>How far a version pin is to be trusted.</summary>
public enum PinStrength
{
    /// <summary>An entry can, in bad cases, change under one version: readers of private content check every chunk.</summary>
    Weak,
    /// <summary>The service guarantees that one version has one content.</summary>
    Strong,
}

/// <summary>Which names an account can hold.</summary>
/// <param name="MaxNameBytes">Of one name, in UTF-8.</param>
/// <param name="MaxPathBytes">Of a whole path, in UTF-8.</param>
/// <param name="Forbidden">Characters that no name may hold, beside '/' and NUL.</param>
/// <param name="IsCaseSensitive">False: two names that differ only in case are one.</param>
/// <param name="AllowsTrailingDotOrSpace">Whether a name may end in '.' or ' '.</param>
/// <param name="AllowsControl">Whether U+0001 to U+001F and U+007F may occur.</param>
public sealed record NameRules(
    int MaxNameBytes = 255,
    int MaxPathBytes = 4096,
    string Forbidden = "",
    bool IsCaseSensitive = true,
    bool AllowsTrailingDotOrSpace = true,
    bool AllowsControl = true)
{
    /// <summary>Null when the account can hold the path, else the reason, which quotes the offending name.</summary>
    public string? WhyNot(EntryPath path) => throw new NotImplementedException();
}

/// <summary>What an account can do and how it wants to be used. Constant for the life of the account object.</summary>
public sealed record AccountTraits
{
    /// <summary>Adapter's name: disk, s3, webdav, rclone.</summary>
    public required string Adapter { get; init; }

    public bool IsReadOnly { get; init; }

    public int MaxConcurrency { get; init; } = 8;

    /// <summary>Longest content that <see cref="IAccount.WriteAsync"/> takes in one call.</summary>
    public long SingleWriteBytesMax { get; init; } = 8 << 20;

    public PartOrder PartOrder { get; init; } = PartOrder.Sequence;

    public UploadResume UploadResume { get; init; } = UploadResume.None;

    /// <summary>Bounds of every part but the last, which may be shorter.</summary>
    public long PartBytesMin { get; init; } = 1;

    public long PartBytesMax { get; init; } = 64 << 20;

    /// <summary>Every part but the last is a multiple of this.</summary>
    public long PartMultipleBytes { get; init; } = 1;

    public int PartsMax { get; init; } = int.MaxValue;

    public PinStrength Pin { get; init; } = PinStrength.Weak;

    public bool KeepsModified { get; init; }

    public bool KeepsEmptyFolders { get; init; }

    public bool KeepsExecutable { get; init; }

    public NameRules Names { get; init; } = new();

    public const long PreferredPartBytes = 8 << 20;

    /// <summary>
    /// Part length for an upload: the preferred one where the limits allow it, else the smallest that fits; always a multiple
    /// of 64 KiB where the traits allow that. Throws BadInput when the file is longer than the account can hold.
    /// </summary>
    public long PartBytesFor(long length) => throw new NotImplementedException();
}
