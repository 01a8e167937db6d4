namespace Virga.Agent.Control;

/// <param name="Magnet">A magnet link; null where <paramref name="File"/> is given.</param>
/// <param name="File">Content of a .torrent file.</param>
/// <param name="Path">Folder in the account; it is made when missing. Empty: the root.</param>
/// <param name="Collision">As in <see cref="TransferRequest"/>, like the priority.</param>
/// <param name="Select">Patterns of the files that are wanted; none: all, or those that the link selects.</param>
/// <param name="Peers">More peers, by "host:port"; these may lie in a private network.</param>
/// <param name="Ratio">Gives to others until so many times its size was given; 0: never; null: no such bound.</param>
/// <param name="SeedHours">Gives to others so long after it is complete; 0: never; null: no such bound.</param>
/// <param name="Share">Whether a public share is made of what arrived.</param>
/// <param name="Receive">As in <see cref="TransferRequest"/>.</param>
/// <param name="Only">As in <see cref="TransferRequest"/>, in place of patterns.</param>
public sealed record TorrentRequest(
    string? Magnet, byte[]? File, string Account, string Path, string Collision = "fail",
    TransferPriority Priority = TransferPriority.Normal, IReadOnlyList<string>? Select = null,
    IReadOnlyList<string>? Peers = null, double? Ratio = null, double? SeedHours = null, bool Share = false,
    long? Receive = null, string? Only = null);
