using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Accounts;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API's search below a folder. What is found comes as it is found.</summary>
internal sealed class SearchEndpoints(AccountPool accounts, TimeProvider time)
{
    private const int FoundMax = 1000;
    private const int TextCharactersMax = 200;

    /// <summary>A larger place is searched as far as that, and says so.</summary>
    private const long LookedMax = 2_000_000;
    private static readonly TimeSpan TellEvery = TimeSpan.FromMilliseconds(250);

    public void Map(PeerRoutes routes) => routes.Control("GET", "/control/accounts/{name}/search", SearchAsync);

    private async Task SearchAsync(HttpContext http)
    {
        var token = http.RequestAborted;
        var query = http.Request.Query;
        var text = query["text"].ToString().Trim();
        if (text.Length is 0 or > TextCharactersMax)
        {
            throw new VirgaException(
                FailureKind.BadInput, "what to look for is missing, or too long",
                $"Give a part of a name, of at most {TextCharactersMax} characters: ?text=holiday");
        }
        var most = int.TryParse(query["max"].ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var n)
            ? Math.Clamp(n, 1, FoundMax) : FoundMax;
        var account = await accounts.GetAsync(http.RouteText("name"), token);
        var folder = EntryPath.Parse(query["path"].ToString());
        http.Response.ContentType = "application/x-ndjson";
        var found = new List<EntryInfo>();
        var (looked, count, told) = (0L, 0, time.GetTimestamp());
        ControlError? error = null;
        try
        {
            await foreach (var entry in account.WalkAsync(folder, cancellationToken: token))
            {
                looked++;
                if (entry.Path.Name.Contains(text, StringComparison.OrdinalIgnoreCase))
                {
                    found.Add(EntryEndpoints.InfoOf(entry));
                    if (++count == most) break;
                }
                if (looked == LookedMax) break;
                // The clock is not asked for each of a million names.
                if ((looked & 127) != 0 && found.Count == 0) continue;
                if (time.GetElapsedTime(told) < TellEvery) continue;
                await TellAsync(isDone: false, isCut: false);
                told = time.GetTimestamp();
            }
        }
        catch (VirgaException e)
        {
            error = ControlErrors.From(e);
        }
        await TellAsync(isDone: true, isCut: count == most || looked == LookedMax);

        async Task TellAsync(bool isDone, bool isCut)
        {
            await ControlEndpoints.LineAsync(
                http, new SearchEvent(found, looked, isDone, isCut, error), ControlJson.Default.SearchEvent);
            found.Clear();
        }
    }
}
