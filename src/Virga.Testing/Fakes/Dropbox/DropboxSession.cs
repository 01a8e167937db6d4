namespace Virga.Testing.Fakes.Dropbox;

/// <summary>An upload session: bytes that are no file yet.</summary>
internal sealed class DropboxSession(string id, bool isConcurrent, DateTimeOffset started)
{
    /// <summary>Sessions live for 7 days (files.stone, upload_session/start).</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(7);

    /// <summary>Concurrent sessions take multiples of this (the same).</summary>
    public const long ConcurrentMultipleBytes = 4 << 20;

    private readonly SortedDictionary<long, Blob> pieces = [];

    public string Id => id;

    public bool IsConcurrent => isConcurrent;

    public DateTimeOffset Started => started;

    public bool IsClosed { get; set; }

    public Blob Content { get; } = new();

    public void Add(long offset, Blob piece) => pieces[offset] = piece;

    /// <summary>Puts the pieces of a concurrent session together; false where some are missing.</summary>
    public bool TryAssemble(long length)
    {
        if (!IsConcurrent) return Content.Length == length;
        if (Content.Length == length && length > 0) return true;
        foreach (var (offset, piece) in pieces)
        {
            if (offset != Content.Length) return false;
            Content.Append(piece);
        }
        return Content.Length == length;
    }
}
