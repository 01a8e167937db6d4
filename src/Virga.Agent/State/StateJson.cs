using System.Text.Json.Serialization;
using Virga.Agent.Control;

namespace Virga.Agent.State;

/// <summary>How a transfer ended, as it is stored.</summary>
internal sealed record TransferOutcome(
    List<SkippedEntry> NotKept, ControlError? Error, CopiedInfo? Copied = null);

[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(List<SkippedEntry>))]
[JsonSerializable(typeof(TransferOutcome))]
[JsonSerializable(typeof(Planning.TransferPlan))]
[JsonSerializable(typeof(Torrents.TorrentWish))]
[JsonSerializable(typeof(Content.FileChoice))]
internal sealed partial class StateJson : JsonSerializerContext;
