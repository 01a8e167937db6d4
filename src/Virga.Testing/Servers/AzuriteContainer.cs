using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Xunit;

namespace Virga.Testing.Servers;

/// <summary>
/// A new container of Azurite, and requests and tokens for it that this class signs by its own reading of the rules: to
/// see and make what is really there.
/// </summary>
public sealed class AzuriteContainer : IAsyncDisposable
{
    private static readonly HttpClient Http = new();

    private readonly RealServer server;
    private readonly string user;
    private readonly TimeProvider clock;

    private AzuriteContainer(RealServer server, string container, TimeProvider clock, string user) =>
        (this.server, Container, this.clock, this.user) = (server, container, clock, user);

    public string Container { get; }

    public Uri Endpoint => new(server["AZURE_ENDPOINT"]);

    public string Account => server[$"AZURE_{user}ACCOUNT"];

    public string Key => server[$"AZURE_{user}KEY"];

    /// <param name="container">Its name, which nobody else uses.</param>
    /// <param name="clock">Tokens end by it.</param>
    /// <param name="user">"" or "OTHER_", for one of the two storage accounts.</param>
    public static async Task<AzuriteContainer> CreateAsync(string container, TimeProvider clock, string user = "")
    {
        var made = new AzuriteContainer(await SharedServers.AzuriteAsync(), container, clock, user);
        await made.SendAsync(HttpMethod.Put, "", "restype=container");
        return made;
    }

    /// <summary>A service SAS for the container.</summary>
    public string Sas(string permissions, DateTimeOffset? expires = null, DateTimeOffset? starts = null)
    {
        const string version = "2021-12-02";
        var end = Time(expires ?? clock.GetUtcNow().AddHours(1));
        var start = starts is { } known ? Time(known) : "";
        string[] fields =
        [
            permissions, start, end, $"/blob/{Account}/{Container}", "", "", "", version, "c", "", "", "", "", "", "",
                "",
        ];
        var signature = Convert.ToBase64String(HMACSHA256.HashData(
            Convert.FromBase64String(Key), Encoding.UTF8.GetBytes(string.Join('\n', fields))));
        return $"sp={permissions}" + (start.Length > 0 ? $"&st={Uri.EscapeDataString(start)}" : "")
            + $"&se={Uri.EscapeDataString(end)}&sv={version}&sr=c&sig={Uri.EscapeDataString(signature)}";
    }

    /// <summary>A request by an account SAS, to see and make what is really there.</summary>
    public async Task<string> SendAsync(
        HttpMethod method, string path, string query = "", byte[]? content = null,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, UrlOf(path, query));
        if (content is not null || method == HttpMethod.Put) request.Content = new ByteArrayContent(content ?? []);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await Http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(
            answer.IsSuccessStatusCode || answer.StatusCode == HttpStatusCode.NotFound,
            $"{method} {path}: {(int)answer.StatusCode} {text}");
        return text;
    }

    public Task PutAsync(string name, byte[] content, params (string, string)[] headers) => SendAsync(
        HttpMethod.Put, "/" + EscapedPath(name), "", content, [("x-ms-blob-type", "BlockBlob"), .. headers]);

    /// <summary>SHA-256 of every blob below a prefix that is no folder's mark, by its name behind the prefix.</summary>
    public async Task<SortedDictionary<string, string>> HashAsync(string prefix)
    {
        var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var listed = await SendAsync(
            HttpMethod.Get, "", "restype=container&comp=list&prefix=" + Uri.EscapeDataString(prefix));
        foreach (var name in XDocument.Parse(listed, LoadOptions.PreserveWhitespace).Descendants("Blob")
            .Select(b => b.Element("Name")!.Value))
        {
            if (name.EndsWith('/')) continue;
            await using var content = await Http.GetStreamAsync(UrlOf("/" + EscapedPath(name), ""));
            hashes[name[prefix.Length..]] = Convert.ToHexStringLower(await SHA256.HashDataAsync(content));
        }
        return hashes;
    }

    private string UrlOf(string path, string query) =>
        $"{Endpoint}{Account}/{Container}{path}?{query}{(query.Length > 0 ? "&" : "")}{AccountSas()}";

    private static string EscapedPath(string name) => string.Join('/', name.Split('/').Select(Uri.EscapeDataString));

    public async ValueTask DisposeAsync() => await SendAsync(HttpMethod.Delete, "", "restype=container");

    // "Create an account SAS".
    private string AccountSas()
    {
        const string version = "2021-12-02";
        var end = Time(clock.GetUtcNow().AddHours(1));
        var text = $"{Account}\nrwdlac\nb\nsco\n\n{end}\n\n\n{version}\n\n";
        var signature = Convert.ToBase64String(
            HMACSHA256.HashData(Convert.FromBase64String(Key), Encoding.UTF8.GetBytes(text)));
        return $"sv={version}&ss=b&srt=sco&sp=rwdlac&se={Uri.EscapeDataString(end)}"
            + $"&sig={Uri.EscapeDataString(signature)}";
    }

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}
