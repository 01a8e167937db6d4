using Virga.Agent.Control;

namespace Virga.Cli.Tests;

/// <summary>Messages of the control API with plausible values.</summary>
internal static class Samples
{
    public static readonly string InfoHash = string.Concat(Enumerable.Repeat("3f9c", 16));

    public static readonly DateTimeOffset Start = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    public static AgentStatus Status { get; } = new(
        "virga1example", "virga1example@https://127.0.0.1:8470!aa",
        "0.1.0", "https://127.0.0.1:8470", new string('a', 64),
        [new RepositoryStatus(
            "https://127.0.0.1:8471!" + new string('b', 64), Start, null)], "age1example", "/data", 65, 2, 1, 0);

    public static ShareInfo Share { get; } = new(
        InfoHash, "virga:1:3f9c#secret", "nas", "photos", "link", [], Start, 2000, 5_000_000_000, [], null, null);

    public static TransferInfo Transfer(string id, TransferState state, long done = 0) => new(
        id, InfoHash, "nas", "in", state, "fetching from virga1example", 2000, (int)(
            done * 2000 / 1000), 1000L << 20, done << 20, done << 20,
        100 << 20, Start, state is TransferState.Running ? null
            : Start.AddSeconds(10), [new SourceInfo("virga1example", done << 20, null)], [],
        state == TransferState.Failed ? new ControlError("Full", "the account nas has no room left", "Free some room.")
            : null);
}
