namespace Virga.EndToEnd.StockClients;

/// <summary>Who gives, and who takes.</summary>
internal enum Course { FromUs, ToUs }

/// <summary>Padded: v1 with pad files (BEP 47).</summary>
internal enum Kind { V1, Padded, Hybrid, V2 }

/// <summary>What who takes is given.</summary>
internal enum Given { Magnet, File }

/// <summary>
/// The only way in which the two hear of each other. Utp: by our tracker, too, and the client takes no TCP of peers.
/// </summary>
internal enum Way { OurHttp, OurUdp, TheirHttp, TheirUdp, Dht, Pex, Lsd, WebSeed, Utp }

/// <summary>One transfer of a torrent of its own, which must come to its end.</summary>
internal sealed record StockRow(StockClient Client, Course Course, Kind Kind, Given Given, Way Way, bool IsSingle)
{
    public string Name =>
        $"{Client.Program}-{Course}-{Kind}-{Given}-{Way}".ToLowerInvariant() + (IsSingle ? "-single" : "");

    /// <summary>Where it stands in the table of kinds.</summary>
    public Kind Column => Kind == Kind.Padded ? Kind.V1 : Kind;
}

/// <summary>What a client is to do.</summary>
/// <param name="Source">A magnet link, or the path of a .torrent file, which for the DHT names a node.</param>
/// <param name="Folder">Where the content is, or goes; its name comes below.</param>
/// <param name="Own">An empty folder for whatever else it keeps.</param>
/// <param name="CallsAround">It looks for peers in the network around (LSD).</param>
/// <param name="IsUtpAlone">It speaks with peers by uTP (BEP 29) alone.</param>
/// <param name="Node">host:port of a node of the DHT; null where it must take no part.</param>
internal sealed record StockJob(
    string Source, string Folder, string Own, string Address, bool Seeds, bool UsesPex, bool CallsAround,
    bool IsUtpAlone, string? Node)
{
    public const int Port = 6881;
}
