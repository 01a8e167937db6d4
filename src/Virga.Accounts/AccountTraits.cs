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
    /// <summary>
    /// An entry can, in bad cases, change under one version: readers of private content check every chunk.
    /// </summary>
    Weak,
    /// <summary>The service guarantees that one version has one content.</summary>
    Strong,
}

/// <summary>What an account can do and how it wants to be used. Constant for the life of the account object.</summary>
public sealed record AccountTraits
{
    /// <summary>Adapter's name: disk, s3, webdav, rclone.</summary>
    public required string Adapter { get; init; }

    public bool IsReadOnly { get; init; }

    /// <summary>Whether no network lies between, so that no answer gets lost.</summary>
    public bool IsLocal { get; init; }

    public int MaxConcurrency { get; init; } = 8;

    /// <summary>Longest content that <see cref="IAccount.WriteAsync"/> takes in one call.</summary>
    public long SingleWriteBytesMax { get; init; } = 8 << 20;

    public PartOrder PartOrder { get; init; } = PartOrder.Sequence;

    public UploadResume UploadResume { get; init; } = UploadResume.None;

    /// <summary>
    /// Whether pending uploads can be found (<see cref="IResumableUploads.ListUploadsAsync"/>). Where false the service
    /// can't tell them; it drops those that nobody goes on with by itself, and they take no space until then.
    /// </summary>
    public bool ListsUploads { get; init; } = true;

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

    /// <summary>
    /// Whether listings tell the kept time and executable mark of each file. Where false, a listing tells when the file
    /// was stored, and StatAsync and ReadAsync tell the kept ones.
    /// </summary>
    public bool ListsMetadata { get; init; } = true;

    /// <summary>Whether every folder has an <see cref="Entry.FolderTag"/>.</summary>
    public bool TagsFolders { get; init; }

    /// <summary>
    /// Whether a path can't be a file and a folder at once. Object stores can hold both "a" and "a/b".
    /// </summary>
    public bool KeepsFilesAndFoldersApart { get; init; } = true;

    public NameRules Names { get; init; } = new();

    public const long PreferredPartBytes = 8 << 20;

    /// <summary>
    /// Part length for an upload: the preferred one where the limits allow it, else the smallest that fits; always a
    /// multiple of 64 KiB where the traits allow that. Throws BadInput when the file is longer than the account can
    /// hold.
    /// </summary>
    public long PartBytesFor(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return PartBytesInSteps(length, LeastCommonMultiple(PartMultipleBytes, PartStepBytes))
            ?? PartBytesInSteps(length, PartMultipleBytes)
            ?? throw new VirgaException(
                FailureKind.BadInput,
                $"a file of {length:N0} bytes is longer than this {Adapter} account can hold ({FileBytesMax:N0} bytes)",
                "Choose another account for it, or split the file.");
    }

    /// <summary>Longest file that fits into the parts that the account takes.</summary>
    public long FileBytesMax
    {
        get
        {
            var part = RoundDown(PartBytesMax, PartMultipleBytes);
            return part > long.MaxValue / PartsMax ? long.MaxValue : part * PartsMax;
        }
    }

    private const long PartStepBytes = 64 << 10;

    private long? PartBytesInSteps(long length, long step)
    {
        var smallest = RoundUp(Math.Max(PartBytesMin, DivideUp(length, PartsMax)), step);
        var largest = RoundDown(PartBytesMax, step);
        var preferred = Math.Min(RoundDown(PreferredPartBytes, step), largest);
        var part = Math.Max(Math.Max(preferred, smallest), step);
        return part <= largest ? part : null;
    }

    private static long DivideUp(long value, long by) => value / by + (value % by == 0 ? 0 : 1);

    private static long RoundDown(long value, long step) => value - value % step;

    private static long RoundUp(long value, long step) =>
        DivideUp(value, step) is var steps && steps > long.MaxValue / step
        ? long.MaxValue
        : steps * step;

    private static long LeastCommonMultiple(long a, long b)
    {
        var (x, y) = (a, b);
        while (y != 0) (x, y) = (y, x % y);
        return a / x * b;
    }
}
