using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace Virga.Agent.Control;

/// <summary>The routes about what lies in accounts.</summary>
public sealed partial class ControlClient
{
    /// <summary>An open answer: its status is 200, 206 or 416, its content the bytes. The caller disposes it.</summary>
    /// <param name="range">A Range header as it came; null for the whole file.</param>
    public async Task<HttpResponseMessage> OpenContentAsync(
        string account, string path, string? range, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, ContentUrl(account, path));
        if (range is not null) request.Headers.TryAddWithoutValidation("Range", range);
        var answer = await Guard(
            () => http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken));
        if (answer.IsSuccessStatusCode || answer.StatusCode == System.Net.HttpStatusCode.RequestedRangeNotSatisfiable)
            return answer;
        using (answer) throw await ErrorOfAsync(answer, cancellationToken);
    }

    /// <summary>Writes a file where nothing stands yet.</summary>
    public async Task<EntryInfo> PutContentAsync(
        string account, string path, Stream content, long length, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, ContentUrl(account, path))
        {
            Content = new StreamContent(content),
        };
        request.Content.Headers.ContentLength = length;
        request.Headers.IfNoneMatch.Add(EntityTagHeaderValue.Any);
        using var answer = await Guard(() => http.SendAsync(request, cancellationToken));
        if (!answer.IsSuccessStatusCode) throw await ErrorOfAsync(answer, cancellationToken);
        return await Guard(() => answer.Content.ReadFromJsonAsync(ControlJson.Default.EntryInfo, cancellationToken))
            ?? throw Garbled();
    }

    public Task MakeFolderAsync(string account, string path, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/accounts/{Escape(account)}/folders?path={Escape(path)}", null, cancellationToken);

    public Task MoveAsync(string account, string from, string to, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/accounts/{Escape(account)}/move",
        JsonContent.Create(new MoveRequest(from, to), ControlJson.Default.MoveRequest), cancellationToken);

    /// <param name="withContent">Whether a folder may hold something.</param>
    public Task DeleteEntryAsync(
        string account, string path, bool withContent, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Delete,
        $"/control/accounts/{Escape(account)}/entries?path={Escape(path)}{(withContent ? "&content=true" : "")}", null,
        cancellationToken);

    /// <summary>Names below a folder that hold a text, in any case; ended by the token.</summary>
    public IAsyncEnumerable<SearchEvent> SearchAsync(
        string account, string path, string text, CancellationToken cancellationToken) => StreamAsync(
        HttpMethod.Get, $"/control/accounts/{Escape(account)}/search?path={Escape(path)}&text={Escape(text)}", null,
        ControlJson.Default.SearchEvent, cancellationToken);

    private static string ContentUrl(string account, string path) =>
        $"/control/accounts/{Escape(account)}/content?path={Escape(path)}";
}
