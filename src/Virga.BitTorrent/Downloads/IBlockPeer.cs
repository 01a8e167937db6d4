using System.Net;

namespace Virga.BitTorrent.Downloads;

/// <summary>
/// Somebody who is asked for blocks: a connection, or a web seed. Nothing here blocks or waits; may be called from many
/// threads.
/// </summary>
public interface IBlockPeer
{
    /// <summary>For people and logs.</summary>
    string Name { get; }

    /// <summary>What is banned when it lies; null for a web seed, which is dropped.</summary>
    IPEndPoint? Address { get; }

    /// <summary>Requests that it lets wait.</summary>
    int RequestsMax { get; }

    /// <summary>False where it takes no more requests now: then this one was not made.</summary>
    bool Request(int piece, int begin, int length);

    void Cancel(int piece, int begin, int length);

    void SetInterested(bool isInterested);

    /// <summary>Ends it for good.</summary>
    void Close(string why);
}
