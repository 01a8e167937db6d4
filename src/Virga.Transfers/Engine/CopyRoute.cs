using Virga.Core;
using Virga.Protocol;

namespace Virga.Transfers.Engine;

/// <summary>How a copy that a service made of an owner's entry is checked.</summary>
public enum CopyCheck
{
    /// <summary>
    /// By the service's own hashes: the same bytes as the entry that the owner named. Where they can't be compared, as
    /// <see cref="Sample"/>. Nothing is compared with the share's tree.
    /// </summary>
    Service = 1,

    /// <summary>Pieces chosen at random, at least one of each file, are read back and compared with the tree.</summary>
    Sample = 2,

    /// <summary>Every byte is read back and compared with the tree.</summary>
    Full = 3,
}

/// <summary>What has been copied inside a service, by how it was checked.</summary>
/// <param name="ComparedBytes">Plain bytes that were read back and agree with the tree.</param>
public readonly record struct CopiedTotals(
    int FilesByService, int FilesBySample, int FilesInFull, long Bytes, long ComparedBytes)
{
    public int Files => FilesByService + FilesBySample + FilesInFull;

    internal CopiedTotals With(long bytes, CopyCheck how, long compared) => this with
    {
        FilesByService = FilesByService + (how == CopyCheck.Service ? 1 : 0),
        FilesBySample = FilesBySample + (how == CopyCheck.Sample ? 1 : 0),
        FilesInFull = FilesInFull + (how == CopyCheck.Full ? 1 : 0),
        Bytes = Bytes + bytes,
        ComparedBytes = ComparedBytes + compared,
    };
}

/// <summary>Somebody who can open entries of a share for copies inside its service.</summary>
public interface ICopyOffer
{
    /// <summary>For people and logs.</summary>
    string Name { get; }

    /// <summary>Opens some of the blobs' entries to the principal, and closes earlier openings.</summary>
    /// <param name="done">At most <see cref="CopiesRequest.DoneMax"/>.</param>
    /// <param name="roots">At most <see cref="CopiesRequest.RootsMax"/>; none: it only closes.</param>
    /// <exception cref="VirgaException">Full: not now, since others copy.</exception>
    Task<CopiesAnswer> OpenAsync(
        IReadOnlyList<string> done, string principal, IReadOnlyList<Hash256> roots,
        CancellationToken cancellationToken);
}

/// <summary>Finds who offers that.</summary>
public interface ICopyFinder
{
    /// <summary>Those whose entries lie at that service; an empty list is no failure.</summary>
    Task<IReadOnlyList<ICopyOffer>> FindAsync(string service, CancellationToken cancellationToken);
}

/// <param name="Random">Chooses what of a copy is read back.</param>
public sealed record CopyRoute(ICopyFinder Finder, CopyCheck Check, TimeProvider Time, RandomBytes Random);
