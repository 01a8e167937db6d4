using System.Globalization;
using Amazon.S3.Model;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// What we keep with an object, in the form rclone uses: x-amz-meta-mtime in decimal seconds since 1970 with a
/// fraction, x-amz-meta-mode as octal st_mode.
/// </summary>
internal static class S3Metadata
{
    private const string Prefix = "x-amz-meta-";
    private const string MtimeName = "mtime";
    private const string ModeName = "mode";
    private const string ExecutableMode = "0100755";
    private const int OwnerExecuteBit = 0b001_000_000;

    public static void Write(MetadataCollection metadata, WriteOptions options)
    {
        if (options.Modified is { } modified) metadata[MtimeName] = FormatTime(modified);
        if (options.IsExecutable) metadata[ModeName] = ExecutableMode;
    }

    /// <summary>As headers of a request, in the order of their names.</summary>
    public static IEnumerable<(string Name, string Value)> Headers(WriteOptions options)
    {
        if (options.IsExecutable) yield return (Prefix + ModeName, ExecutableMode);
        if (options.Modified is { } modified) yield return (Prefix + MtimeName, FormatTime(modified));
    }

    public static DateTimeOffset? Modified(MetadataCollection? metadata) =>
        metadata?[MtimeName] is { } text ? ParseTime(text) : null;

    public static DateTimeOffset? Modified(HttpResponseMessage answer) =>
        S3Objects.Header(answer, Prefix + MtimeName) is { } text ? ParseTime(text) : null;

    public static bool IsExecutable(MetadataCollection? metadata) => IsExecutable(metadata?[ModeName]);

    public static bool IsExecutable(HttpResponseMessage answer) =>
        IsExecutable(S3Objects.Header(answer, Prefix + ModeName));

    private static bool IsExecutable(string? mode)
    {
        if (mode is not { Length: > 0 and <= 11 } text
            || text.AsSpan().ContainsAnyExceptInRange('0', '7'))
            return false;
        return (Convert.ToInt64(text, 8) & OwnerExecuteBit) != 0;
    }

    internal static string FormatTime(DateTimeOffset time)
    {
        var ticks = (time - DateTimeOffset.UnixEpoch).Ticks;
        var size = Math.Abs(ticks);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{(ticks < 0 ? "-" : "")}{size / TimeSpan.TicksPerSecond}.{size % TimeSpan.TicksPerSecond:0000000}");
    }

    /// <summary>Null for anything else than a decimal number in the range of dates.</summary>
    internal static DateTimeOffset? ParseTime(string text)
    {
        const NumberStyles style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        if (!decimal.TryParse(text, style, CultureInfo.InvariantCulture, out var seconds)) return null;
        var min = (DateTimeOffset.MinValue - DateTimeOffset.UnixEpoch).Ticks;
        var max = (DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks;
        if (seconds < min / TimeSpan.TicksPerSecond || seconds > max / TimeSpan.TicksPerSecond) return null;
        return DateTimeOffset.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond));
    }
}
