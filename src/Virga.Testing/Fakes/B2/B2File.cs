namespace Virga.Testing.Fakes.B2;

/// <summary>One version of a file: uploaded, hidden, or begun as a large file.</summary>
internal sealed class B2File(string id, string bucket, string name, long timestamp, string action)
{
    public string Id => id;

    public string Bucket => bucket;

    public string Name => name;

    /// <summary>Milliseconds; no two versions have the same.</summary>
    public long Timestamp => timestamp;

    /// <summary>upload, hide, start.</summary>
    public string Action { get; set; } = action;

    public Blob Content { get; set; } = new();

    public string ContentType { get; init; } = "application/octet-stream";

    public string Sha1 { get; set; } = "none";

    public Dictionary<string, string> Info { get; init; } = [];

    public SortedDictionary<int, (Blob Content, string Sha1)> Parts { get; } = [];
}

/// <summary>What the service answers when it refuses.</summary>
internal sealed class B2Problem(int status, string code, string message) : Exception(message)
{
    public int Status => status;

    public string Code => code;

    public static B2Problem Bad(string message) => new(400, "bad_request", message);

    public static B2Problem NoFile(string what) => new(404, "not_found", $"file_not_present: {what}");
}
