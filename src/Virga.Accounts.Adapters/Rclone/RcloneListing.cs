using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>An item as rclone lists it.</summary>
/// <param name="Length">-1 where the service doesn't know (documents that are made when they are downloaded).</param>
internal sealed record RcloneItem(
    string Name, bool IsFolder, long Length, DateTimeOffset? Modified, EntryVersion Version)
{
    public static RcloneItem From(JsonElement element)
    {
        var modified = element.TryGetProperty("ModTime", out var time) ? time.GetString() ?? "" : "";
        var length = element.GetProperty("Size").GetInt64();
        var hash = "";
        if (element.TryGetProperty("Hashes", out var hashes) && hashes.ValueKind == JsonValueKind.Object)
            foreach (var one in hashes.EnumerateObject()) hash = "-" + one.Value.GetString();
        return new RcloneItem(
            RcloneNames.FromStandard(element.GetProperty("Name").GetString() ?? ""),
            element.GetProperty("IsDir").GetBoolean(),
            length,
            DateTimeOffset.TryParse(modified, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
                ? at.ToUniversalTime()
                : null,
            new EntryVersion($"{modified}-{length}{hash}"));
    }
}

/// <summary>
/// Reads <c>{"list": [item, ...]}</c> item by item: memory is bounded by one, however many there are.
/// </summary>
internal static class RcloneListing
{
    private const int ItemBytesMax = 1 << 20;

    public static async IAsyncEnumerable<RcloneItem> ReadAsync(
        Stream body, StallGuard guard, string what, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var pipe = PipeReader.Create(new GuardedStream(body, guard));
        var isInList = false;
        try
        {
            while (true)
            {
                var (state, item) = await NextAsync(pipe, isInList, guard, what, cancellationToken);
                if (state == Step.End) yield break;
                isInList = true;
                if (item is not null) yield return item;
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            await pipe.CompleteAsync();
        }
    }

    private enum Step { More, Entered, Item, End }

    private static async ValueTask<(Step, RcloneItem?)> NextAsync(
        PipeReader pipe, bool isInList, StallGuard guard, string what, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var read = await pipe.ReadAsync(CancellationToken.None);
                var (step, used) = Parse(read.Buffer, isInList, out var item);
                pipe.AdvanceTo(used, step == Step.More ? read.Buffer.End : used);
                if (step != Step.More) return (step, item);
                if (read.IsCompleted || read.Buffer.Length > ItemBytesMax)
                    throw new JsonException("a listing that breaks off");
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception) when (guard.HasStalled)
        {
            throw TransportFailures.Stalled(what, guard.Timeout);
        }
        catch (Exception e) when (e is JsonException or IOException or HttpRequestException
            or InvalidOperationException or KeyNotFoundException)
        {
            throw new VirgaException(
                FailureKind.Unavailable, $"{what}: rclone's listing breaks off or can't be read", inner: e);
        }
    }

    private static (Step, SequencePosition) Parse(ReadOnlySequence<byte> buffer, bool isInList, out RcloneItem? item)
    {
        item = null;
        // Between the items of an array a reader of its own would stumble over the comma.
        if (isInList)
        {
            buffer = SkipSeparators(buffer);
            if (buffer.IsEmpty) return (Step.More, buffer.Start);
            if (buffer.FirstSpan[0] == ']') return (Step.End, buffer.Start);
        }
        var reader = new Utf8JsonReader(buffer, isFinalBlock: false, default);
        if (isInList)
        {
            if (!JsonDocument.TryParseValue(ref reader, out var document)) return (Step.More, buffer.Start);
            using (document) item = RcloneItem.From(document.RootElement);
            return (Step.Item, reader.Position);
        }
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.StartArray) return (Step.Entered, reader.Position);
            if (reader.TokenType == JsonTokenType.Null) return (Step.End, reader.Position);
        }
        return (Step.More, buffer.Start);
    }

    private static ReadOnlySequence<byte> SkipSeparators(ReadOnlySequence<byte> buffer)
    {
        var reader = new SequenceReader<byte>(buffer);
        reader.AdvancePastAny(" \t\r\n,"u8);
        return buffer.Slice(reader.Position);
    }
}
