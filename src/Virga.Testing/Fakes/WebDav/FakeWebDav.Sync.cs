using System.Globalization;
using System.Security;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace Virga.Testing.Fakes.WebDav;

/// <summary>The report sync-collection (RFC 6578).</summary>
public sealed partial class FakeWebDav
{
    private const string TokenStart = "http://example.org/sync/";

    /// <summary>More than these are told in several answers.</summary>
    private const int ReportMax = 200;

    private readonly List<string[]> changes = [];
    private int oldest;

    /// <summary>Every token so far is refused.</summary>
    public void ExpireTokens()
    {
        lock (gate)
        {
            // A token of now is one of those, too.
            changes.Add([]);
            oldest = changes.Count;
        }
    }

    private static string TokenOf(int change) => TokenStart + change.ToString(CultureInfo.InvariantCulture);

    private async Task ReportAsync(HttpContext context, string[] names)
    {
        var asked = await AskedAsync(context);
        XNamespace dav = "DAV:";
        if (asked.Name != dav + "sync-collection" || context.Request.Headers["Depth"].ToString() != "0"
            || asked.Element(dav + "sync-level")?.Value is not ("1" or "infinite")
            || asked.Element(dav + "sync-token") is not { } token)
        {
            await Status(context, 400);
            return;
        }
        var isInfinite = asked.Element(dav + "sync-level")!.Value == "infinite";
        string? answer = null;
        lock (gate)
        {
            var folder = Find(names);
            if (folder is not { IsFolder: true })
                context.Response.StatusCode = folder is null ? 404 : 403;
            else if (token.Value.StartsWith(TokenStart, StringComparison.Ordinal)
                && int.TryParse(token.Value.AsSpan(TokenStart.Length), CultureInfo.InvariantCulture, out var from)
                && from >= oldest && from <= changes.Count && from >= folder.Made)
                answer = Report(names, from, isInfinite, asked);
        }
        if (answer is not null) await SendAsync(context, 207, answer);
        else if (context.Response.StatusCode == 200)
            await SendAsync(
                context, 403, """<?xml version="1.0"?><d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>""");
    }

    private string Report(string[] folder, int from, bool isInfinite, XElement asked)
    {
        var until = Math.Min(from + ReportMax, changes.Count);
        var told = new HashSet<string>(StringComparer.Ordinal);
        var responses = new List<string>();
        foreach (var names in changes.Take(until).Skip(from))
        {
            if (names.Length <= folder.Length || !names.AsSpan().StartsWith(folder)
                || (!isInfinite && names.Length > folder.Length + 1) || !told.Add(string.Join('/', names)))
                continue;
            if (Find(names) is { } node) responses.Add(Describe(names, node, asked));
            // What lay in a folder that is gone is gone with it.
            else if (Find(names[..^1]) is not null) responses.Add(Failed(names, "404 Not Found"));
        }
        if (until < changes.Count) responses.Add(Failed(folder, "507 Insufficient Storage"));
        return Multistatus(responses, $"<d:sync-token>{TokenOf(until)}</d:sync-token>");
    }

    private static string Failed(string[] names, string status) =>
        $"<d:response><d:href>{SecurityElement.Escape(HrefOf(names, false))}</d:href>"
        + $"<d:status>HTTP/1.1 {status}</d:status></d:response>";
}
