using System.Globalization;
using System.Net;
using System.Security;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Virga.Testing.Fakes.WebDav;

/// <summary>Which kind of server it is.</summary>
public enum DavFlavour
{
    /// <summary>
    /// As Nextcloud: X-OC-Mtime, and ETags of folders that change with anything below
    /// (docs.nextcloud.com, developer manual, "WebDAV basics").
    /// </summary>
    Nextcloud,
    /// <summary>Tells what changed below a folder (sync-collection, RFC 6578); folders have no ETag.</summary>
    Sync,
}

/// <summary>
/// A WebDAV server on loopback (RFC 4918, class 1) for what no server that can be had here does. It keeps to the word
/// of the standards, and refuses what they let it refuse: PUT into a folder that isn't there, PUT of ranges, listings
/// without end.
/// </summary>
public sealed partial class FakeWebDav : FakeService
{
    public const string Host = "cloud.example.org", Prefix = "/remote.php/dav/files/ann";

    private readonly Lock gate = new();
    private readonly DavFlavour flavour;
    private readonly DavNode root = new("", isFolder: true);
    private long counter;

    public FakeWebDav(DavFlavour flavour, TimeProvider clock) : base(clock)
    {
        this.flavour = flavour;
        root.ETag = NextTag();
    }

    public override IReadOnlyList<string> Hosts => [Host, "127.0.0.1"];

    /// <summary>By address; who knows the name may use that.</summary>
    public string Url => $"https://{EndPoint}{Prefix}";

    protected override string OperationOf(HttpRequest request) => request.Method;

    protected override Task RefuseThrottledAsync(HttpContext context, TimeSpan? retryAfter)
    {
        if (retryAfter is { } wait) context.Response.Headers.RetryAfter = $"{wait.TotalSeconds:0}";
        return Status(context, 429);
    }

    protected override Task RefuseExpiredAsync(HttpContext context) => Status(context, 401);

    /// <summary>A file that somebody else wrote; makes the folders above.</summary>
    public void AddFile(string path, byte[] content)
    {
        lock (gate)
        {
            var names = path.Split('/');
            for (var i = 1; i < names.Length; i++) if (Find(names[..i]) is null) Add(names[..i], isFolder: true);
            var blob = new Blob();
            blob.Append(content);
            Add(names, isFolder: false).Content = blob;
        }
    }

    private string NextTag() => $"\"{(++counter * 7919 % 0xFFFFFFFFFFFF).ToString("x12", null)}\"";

    // Exactly as it stands in the request: decoded names may hold '/'.
    private static string[]? NamesOf(string target)
    {
        var path = Uri.TryCreate(target, UriKind.Absolute, out _) && target.StartsWith("http", StringComparison.Ordinal)
            ? target[target.IndexOf('/', target.IndexOf("//", StringComparison.Ordinal) + 2)..] : target;
        if (path.IndexOf('?') is var query and >= 0) path = path[..query];
        if (!path.StartsWith(Prefix, StringComparison.Ordinal)) return null;
        return [.. path[Prefix.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries)
            .Select(Uri.UnescapeDataString)];
    }

    private static string HrefOf(IEnumerable<string> names, bool isFolder) =>
        Prefix + string.Concat(names.Select(n => "/" + Uri.EscapeDataString(n))) + (isFolder ? "/" : "");

    private DavNode? Find(IEnumerable<string> names)
    {
        var at = root;
        foreach (var name in names)
        {
            if (!at.Children.TryGetValue(name, out var next)) return null;
            at = next;
        }
        return at;
    }

    private DavNode Add(string[] names, bool isFolder)
    {
        var node = new DavNode(names[^1], isFolder) { Made = changes.Count };
        Find(names[..^1])!.Children.Add(node.Name, node);
        Changed(names, node);
        return node;
    }

    private void Changed(string[] names, DavNode? node)
    {
        changes.Add(names);
        if (node is not null) (node.ETag, node.Modified) = (NextTag(), Clock.GetUtcNow());
        if (flavour != DavFlavour.Nextcloud) return;
        for (var i = 0; i < names.Length; i++) Find(names[..i])!.ETag = NextTag();
    }

    protected override async Task HandleAsync(HttpContext context, string operation)
    {
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (NamesOf(target) is not { } names)
        {
            context.Response.StatusCode = 404;
            return;
        }
        context.Response.StatusCode = 200;
        await (operation switch
        {
            "OPTIONS" => Options(context),
            "PROPFIND" => PropfindAsync(context, names),
            "REPORT" when flavour == DavFlavour.Sync => ReportAsync(context, names),
            "GET" or "HEAD" => ReadAsync(context, names),
            "PUT" => PutAsync(context, names),
            "MKCOL" or "DELETE" or "MOVE" or "COPY" => Change(context, names),
            _ => Status(context, 501),
        });
    }

    private static Task Status(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    private Task Options(HttpContext context)
    {
        var isSync = flavour == DavFlavour.Sync;
        context.Response.Headers["DAV"] = isSync ? "1, 3"
            : "1, 3, extended-mkcol, access-control, oc-resource-sharing, nextcloud-checksum-update";
        context.Response.Headers.Allow =
            "OPTIONS, GET, HEAD, DELETE, PROPFIND, PUT, MKCOL, COPY, MOVE" + (isSync ? ", REPORT" : "");
        return Task.CompletedTask;
    }

    private async Task PropfindAsync(HttpContext context, string[] names)
    {
        var asked = await AskedAsync(context);
        var depth = context.Request.Headers["Depth"].ToString();
        string? answer;
        lock (gate)
        {
            if (Find(names) is not { } node)
            {
                context.Response.StatusCode = 404;
                return;
            }
            // "infinity" may be refused (RFC 4918, 9.1).
            answer = depth is "0" or "1" ? Multistatus(Responses()) : null;

            IEnumerable<string> Responses()
            {
                yield return Describe(names, node, asked);
                if (depth == "0") yield break;
                foreach (var child in node.Children.Values) yield return Describe([.. names, child.Name], child, asked);
            }
        }
        if (answer is null) await Status(context, 403);
        else await SendAsync(context, 207, answer);
    }

    private static async Task<XElement> AskedAsync(HttpContext context) =>
        (await XDocument.LoadAsync(context.Request.Body, LoadOptions.None, context.RequestAborted)).Root!;

    private static string Multistatus(IEnumerable<string> responses, string more = "") =>
        $"""<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">{string.Concat(responses)}{more}</d:multistatus>""";

    private static Task SendAsync(HttpContext context, int status, string xml)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/xml; charset=utf-8";
        return context.Response.WriteAsync(xml, context.RequestAborted);
    }

    // Only what was asked for, and what isn't there with 404 (RFC 4918, 9.1).
    private string Describe(string[] names, DavNode node, XElement asked)
    {
        var (found, missing) = (new StringBuilder(), new StringBuilder());
        foreach (var property in asked.Elements().First(e => e.Name.LocalName == "prop").Elements())
        {
            var name = property.Name.LocalName;
            if (Property(node, name) is { } value) found.Append($"<d:{name}>{value}</d:{name}>");
            else missing.Append($"<d:{name}/>");
        }
        var text = $"<d:response><d:href>{SecurityElement.Escape(HrefOf(names, node.IsFolder))}</d:href>"
            + $"<d:propstat><d:prop>{found}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>";
        if (missing.Length > 0)
            text += $"<d:propstat><d:prop>{missing}</d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>";
        return text + "</d:response>";
    }

    private string? Property(DavNode node, string name) => name switch
    {
        "resourcetype" => node.IsFolder ? "<d:collection/>" : "",
        "getcontentlength" when !node.IsFolder => node.Content.Length.ToString(CultureInfo.InvariantCulture),
        "getlastmodified" => node.Modified.ToString("R", CultureInfo.InvariantCulture),
        "getetag" when !node.IsFolder || flavour == DavFlavour.Nextcloud => SecurityElement.Escape(node.ETag),
        "quota-used-bytes" when node.IsFolder => BytesOf(node).ToString(CultureInfo.InvariantCulture),
        "quota-available-bytes" when node.IsFolder => "-3",
        "supported-report-set" when node.IsFolder && flavour == DavFlavour.Sync =>
            "<d:supported-report><d:report><d:sync-collection/></d:report></d:supported-report>",
        "sync-token" when node.IsFolder && flavour == DavFlavour.Sync => TokenOf(changes.Count),
        _ => null,
    };

    private static long BytesOf(DavNode node) => node.Content.Length + node.Children.Values.Sum(BytesOf);

    private async Task ReadAsync(HttpContext context, string[] names)
    {
        Blob content;
        lock (gate)
        {
            if (Find(names) is not { } node || node.IsFolder)
            {
                context.Response.StatusCode = Find(names) is null ? 404 : 405;
                return;
            }
            content = node.Content;
            context.Response.Headers.ETag = node.ETag;
            context.Response.Headers.LastModified = node.Modified.ToString("R", CultureInfo.InvariantCulture);
        }
        if (context.Request.Method == "HEAD") context.Response.ContentLength = content.Length;
        else await ByteRanges.SendAsync(context, content);
    }

    private async Task PutAsync(HttpContext context, string[] names)
    {
        var content = await Blob.ReadAsync(context.Request.Body, context.RequestAborted);
        lock (gate)
        {
            // RFC 9110, 14.5: what can't keep a part refuses it.
            if (context.Request.Headers.ContentRange.Count > 0) context.Response.StatusCode = 501;
            else if (names.Length == 0 || Find(names) is { IsFolder: true }) context.Response.StatusCode = 405;
            else if (Find(names[..^1]) is not { IsFolder: true }) context.Response.StatusCode = 409;
            else
            {
                var there = Find(names);
                context.Response.StatusCode = there is null ? 201 : 204;
                there ??= Add(names, isFolder: false);
                // Never changed in place: whoever reads the old content goes on with it.
                there.Content = content;
                Changed(names, there);
                if (flavour != DavFlavour.Nextcloud) return;
                var kept = context.Request.Headers["X-OC-Mtime"].ToString();
                if (!long.TryParse(kept, CultureInfo.InvariantCulture, out var time)) return;
                there.Modified = DateTimeOffset.FromUnixTimeSeconds(time);
                context.Response.Headers["X-OC-Mtime"] = "accepted";
            }
        }
    }

    private Task Change(HttpContext context, string[] names)
    {
        lock (gate)
        {
            context.Response.StatusCode = context.Request.Method switch
            {
                "MKCOL" => MakeFolder(names),
                "DELETE" => Delete(names),
                var method => Relocate(
                    names, context.Request.Headers["Destination"].ToString(),
                    context.Request.Headers["Overwrite"].ToString() != "F", isMove: method == "MOVE"),
            };
        }
        return Task.CompletedTask;
    }

    private int MakeFolder(string[] names)
    {
        if (Find(names) is not null) return (int)HttpStatusCode.MethodNotAllowed;
        if (Find(names[..^1]) is not { IsFolder: true }) return (int)HttpStatusCode.Conflict;
        Add(names, isFolder: true);
        return (int)HttpStatusCode.Created;
    }

    private int Delete(string[] names)
    {
        if (names.Length == 0) return (int)HttpStatusCode.Forbidden;
        if (Find(names) is not { } node) return (int)HttpStatusCode.NotFound;
        Remove(names, node);
        return (int)HttpStatusCode.NoContent;
    }

    private int Relocate(string[] names, string destination, bool overwrites, bool isMove)
    {
        if (Find(names) is not { } node || names.Length == 0) return (int)HttpStatusCode.NotFound;
        if (NamesOf(destination) is not { Length: > 0 } to) return (int)HttpStatusCode.BadGateway;
        if (to.AsSpan().StartsWith(names)) return (int)HttpStatusCode.Forbidden;
        if (Find(to[..^1]) is not { IsFolder: true } folder) return (int)HttpStatusCode.Conflict;
        var there = Find(to);
        if (there is not null && !overwrites) return (int)HttpStatusCode.PreconditionFailed;
        if (there is not null) Remove(to, there);
        if (isMove) Remove(names, node);
        var moved = Taken(node, to[^1], isMove);
        folder.Children.Add(moved.Name, moved);
        // A move keeps the ETag and the time of what is moved, and changes those of the folders.
        Changed(to, null);
        // Each member has a new URL, which is told (RFC 6578, 3.5.1).
        foreach (var (child, below) in moved.Children) Remap([.. to, child], below);
        return there is null ? (int)HttpStatusCode.Created : (int)HttpStatusCode.NoContent;
    }

    // What is moved keeps its tags; a copy is something new.
    private DavNode Taken(DavNode node, string name, bool isMove)
    {
        var taken = new DavNode(name, node.IsFolder)
        {
            Content = node.Content, Modified = node.Modified, ETag = isMove ? node.ETag : NextTag(),
            Made = changes.Count,
        };
        foreach (var (below, child) in node.Children) taken.Children.Add(below, Taken(child, below, isMove));
        return taken;
    }

    private void Remove(string[] names, DavNode node)
    {
        Find(names[..^1])!.Children.Remove(node.Name);
        // Each member is unmapped, which is told unless the folder itself is gone (RFC 6578, 3.5.2).
        foreach (var (child, below) in node.Children) Remap([.. names, child], below);
        Changed(names, null);
    }

    private void Remap(string[] names, DavNode node)
    {
        changes.Add(names);
        foreach (var (child, below) in node.Children) Remap([.. names, child], below);
    }
}
