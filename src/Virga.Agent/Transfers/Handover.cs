using System.Text.Json;
using System.Text.Json.Serialization;
using Virga.Accounts;
using Virga.Agent.Control;
using Virga.Agent.Planning;
using Virga.Agent.State;
using Virga.Agent.Torrents;
using Virga.Content;
using Virga.Core;
using Virga.Core.Age;
using Virga.Protocol;
using Virga.Transfers.Engine;
using Virga.Transfers.Journal;

namespace Virga.Agent.Transfers;

internal sealed record HandoverPart(long Index, string Tag);

internal sealed record HandoverUpload(int File, string Token, long PartBytes, IReadOnlyList<HandoverPart> Parts);

internal sealed record HandoverCopy(int File, CopyCheck? How);

internal sealed record HandoverName(int File, string Path);

/// <summary>
/// All that another agent of the same user needs to go on with a transfer (spec/v1/journal.md, "Handing over"). It
/// holds the link's secret: it travels as an age file that only that agent opens.
/// </summary>
/// <param name="Content">What was fetched of the share but its files; null where nothing was yet.</param>
internal sealed record Handover(
    int Version, string Id, string InfoHash, string Link, string Account, string Path, CollisionPolicy Collision,
    DateTimeOffset Created, long Fetched, int FilesTotal, long BytesTotal, TransferPriority Priority,
    TransferPlan Plan, CopyCheck? Copies, ServeMode Serve, TorrentWish? Torrent, long? Receive, bool HasStarted,
    IReadOnlyList<int> Completed, IReadOnlyList<HandoverUpload> Uploads, IReadOnlyList<HandoverCopy> Copied,
    IReadOnlyList<HandoverName> Renamed, byte[]? Content)
{
    public const int CurrentVersion = 1;

    /// <summary>Which files of a share are wanted; null: all.</summary>
    public FileChoice? Choice { get; init; }

    private const int IdCharacters = 12;

    public static Handover Of(TransferRow row, JournalState journal, byte[]? content) => new(
        CurrentVersion, row.Id, row.InfoHash.ToString(), row.Link, row.Account, row.Path.Value, row.Collision,
        row.Created, row.Fetched, row.FilesTotal, row.BytesTotal, row.Priority,
        // Routes and rates are other ones from there.
        row.Plan.Anew(), row.Copies, row.Serve, row.Torrent, row.Receive, journal.HasStarted,
        [.. journal.Completed.Order()],
        [
            .. journal.Uploads.OrderBy(u => u.Key).Select(u => new HandoverUpload(
                u.Key, u.Value.Token, u.Value.PartBytes,
                [.. u.Value.Parts.Select(p => new HandoverPart(p.Index, p.Tag))])),
        ],
        [.. journal.Copies.Select(c => new HandoverCopy(c.Key, c.Value))],
        [.. journal.Renamed.Select(n => new HandoverName(n.Key, n.Value.Value))], content)
    {
        Choice = row.Choice,
    };

    public JournalState Journal() => new(
        HasStarted, Completed.ToHashSet(),
        Uploads.ToDictionary(
            u => u.File,
            u => new RecordedUpload(u.Token, u.PartBytes, [.. u.Parts.Select(p => new PartReceipt(p.Index, p.Tag))])))
    {
        Copies = Copied.ToDictionary(c => c.File, c => c.How),
        Renamed = Renamed.ToDictionary(n => n.File, n => EntryPath.Parse(n.Path)),
    };

    /// <param name="account">The taking agent's name for the account that the transfer writes to.</param>
    public TransferRow Row(string account) => new(
        Id, Hash256.TryParse(InfoHash, out var hash) ? hash : throw Unreadable(), Link, account,
        EntryPath.Parse(Path), Collision, TransferState.Waiting, Created, Ended: null, Fetched, FilesTotal,
        BytesTotal, Outcome: null, Plan, Priority, Copies, Serve)
    {
        Torrent = Torrent, Receive = Receive, Choice = Choice,
    };

    public byte[] Seal(AgeRecipient recipient, RandomBytes random) =>
        SealedMessage.Seal(JsonSerializer.SerializeToUtf8Bytes(this, HandoverJson.Default.Handover), recipient, random);

    /// <exception cref="VirgaException">BadInput, Denied, Unsupported: no such file, or for others.</exception>
    public static Handover Open(ReadOnlySpan<byte> file, AgeIdentity identity)
    {
        byte[] plain;
        try
        {
            plain = SealedMessage.Open(file, identity);
        }
        catch (VirgaException e)
        {
            throw new VirgaException(
                e.Kind, e.Kind == FailureKind.Denied
                    ? "the transfer was handed over to another agent" : "that is no transfer that was handed over",
                "Hand it over to this agent: `virga takeover --key` here, then `virga handover ID FILE --for KEY` "
                    + "there.", e);
        }
        try
        {
            var opened = JsonSerializer.Deserialize(plain, HandoverJson.Default.Handover);
            if (opened is { Version: CurrentVersion, Id.Length: IdCharacters }
                && opened.Id.All(char.IsAsciiHexDigitLower)) return opened;
            throw new VirgaException(
                FailureKind.Unsupported, "the transfer was handed over in a form that this agent doesn't know",
                "Use the same version of Virga on both sides.");
        }
        catch (JsonException e)
        {
            throw Unreadable(e);
        }
    }

    private static VirgaException Unreadable(Exception? e = null) => new(
        FailureKind.BadInput, "the transfer that was handed over can't be read", "Hand it over again.", e);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Handover))]
internal sealed partial class HandoverJson : JsonSerializerContext;
