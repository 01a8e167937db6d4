using System.Globalization;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Commands;

/// <summary>When a share ends, as people say it and as they are told.</summary>
internal static class ShareEnd
{
    private static readonly string[] Forms =
    [
        "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd' 'HH:mm", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd' 'HH:mm:ss",
    ];

    /// <summary>Null where neither is given.</summary>
    /// <param name="span">Hours, days or weeks from now: 12h, 7d, 2w.</param>
    /// <param name="moment">A day, maybe with a time, of this machine's clock, unless it ends in an offset.</param>
    /// <exception cref="VirgaException">BadInput: both are given, or one is none.</exception>
    public static DateTimeOffset? Of(string? span, string? moment, TimeProvider time)
    {
        if (span is not null && moment is not null)
        {
            throw new VirgaException(
                FailureKind.BadInput, "--for and --until both say when the share ends", "Say one of them.");
        }
        var now = time.GetUtcNow();
        if (span is not null)
        {
            var length = UploadCommands.TrySpan(span) ?? throw new VirgaException(
                FailureKind.BadInput, $"'{Display.Fit(span, 40)}' is no length of time",
                "Write hours, days or weeks: 12h, 7d, 2w.");
            return length > TimeSpan.Zero ? now + length : throw Over(now);
        }
        if (moment is null) return null;
        var end = Parse(moment.Trim(), time.LocalTimeZone);
        return end > now ? end : throw Over(end);
    }

    /// <summary>"ends in 6 d 2 h", or nothing.</summary>
    public static string Left(DateTimeOffset? ends, DateTimeOffset now) =>
        ends is { } end ? $"ends in {Display.Duration(end - now)}" : "";

    private static DateTimeOffset Parse(string text, TimeZoneInfo zone)
    {
        if (DateTime.TryParseExact(text, Forms, CultureInfo.InvariantCulture, DateTimeStyles.None, out var local))
            return new DateTimeOffset(local, zone.GetUtcOffset(local)).ToUniversalTime();
        string[] exact = [.. Forms.Skip(1).Select(f => f + "zzz")];
        return DateTimeOffset.TryParseExact(
            text.EndsWith('Z') ? text[..^1] + "+00:00" : text, exact, CultureInfo.InvariantCulture,
            DateTimeStyles.None, out var end)
            ? end.ToUniversalTime()
            : throw new VirgaException(
                FailureKind.BadInput, $"'{Display.Fit(text, 40)}' is no time",
                "Write a day, or a day and a time: 2026-12-31, 2026-12-31T12:00; with Z for UTC.");
    }

    private static VirgaException Over(DateTimeOffset end) => new(
        FailureKind.BadInput, $"the share would end at {Display.Moment(end)} UTC, which is over",
        "Give a time that is to come.");
}
