using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Virga.Accounts.Adapters.Azure;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.Azure;

/// <summary>A new container of Azurite, and tokens for it that this class signs by its own reading of the rules.</summary>
internal sealed class AzureScratch : IAsyncDisposable
{
    private static readonly HttpClient Http = new();

    private readonly RealServer server;
    private readonly string user;

    private AzureScratch(RealServer server, string user) => (this.server, this.user) = (server, user);

    public string Container { get; } = $"virga-{Guid.NewGuid():n}";

    public Uri Endpoint => new(server["AZURE_ENDPOINT"]);

    public string Account => server[$"AZURE_{user}ACCOUNT"];

    public string Key => server[$"AZURE_{user}KEY"];

    public static async Task<AzureScratch> CreateAsync(string user = "")
    {
        var scratch = new AzureScratch(await SharedServers.AzuriteAsync(), user);
        await scratch.PlainAsync(HttpMethod.Put, "", "restype=container");
        return scratch;
    }

    public AccountConfig Config(
        string prefix = "", string? container = null, string? account = null, Uri? endpoint = null,
        IReadOnlyDictionary<string, string>? settings = null, params (string, string)[] secrets) =>
        new AzureAdapter(TestServices.Real).ParseAddress(
            $"azure:{endpoint ?? Endpoint}{account ?? Account}/{container ?? Container}/{prefix}",
            settings ?? TestServices.None,
            TestServices.Map(secrets.Length > 0 ? secrets : [("accountKey", Key)]));

    public ValueTask<IAccount> OpenAsync(
        string prefix = "", string? container = null, string? account = null, Uri? endpoint = null,
        params (string, string)[] secrets) =>
        new AzureAdapter(TestServices.Real).OpenAsync(
            Config(prefix, container, account, endpoint, null, secrets), default);

    /// <summary>A service SAS for the container.</summary>
    public string Sas(string permissions, DateTimeOffset? expires = null, DateTimeOffset? starts = null)
    {
        const string version = "2021-12-02";
        var end = Time(expires ?? DateTimeOffset.UtcNow.AddHours(1));
        var start = starts is { } known ? Time(known) : "";
        string[] fields =
        [
            permissions, start, end, $"/blob/{Account}/{Container}", "", "", "", version, "c", "", "", "", "", "", "", "",
        ];
        var signature = Convert.ToBase64String(HMACSHA256.HashData(
            Convert.FromBase64String(Key), Encoding.UTF8.GetBytes(string.Join('\n', fields))));
        return $"sp={permissions}" + (start.Length > 0 ? $"&st={Uri.EscapeDataString(start)}" : "")
            + $"&se={Uri.EscapeDataString(end)}&sv={version}&sr=c&sig={Uri.EscapeDataString(signature)}";
    }

    /// <summary>A request by an account SAS, to see and make what is really there.</summary>
    public async Task<string> PlainAsync(
        HttpMethod method, string path, string query = "", byte[]? content = null,
        params (string Name, string Value)[] headers)
    {
        var url = $"{Endpoint}{Account}/{Container}{path}?{query}{(query.Length > 0 ? "&" : "")}{AccountSas()}";
        using var request = new HttpRequestMessage(method, url);
        if (content is not null || method == HttpMethod.Put) request.Content = new ByteArrayContent(content ?? []);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await Http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(
            answer.IsSuccessStatusCode || answer.StatusCode == HttpStatusCode.NotFound,
            $"{method} {path}: {(int)answer.StatusCode} {text}");
        return text;
    }

    public Task PutPlainAsync(string name, string content = "x", params (string, string)[] headers) => PlainAsync(
        HttpMethod.Put, "/" + name, "", Encoding.UTF8.GetBytes(content), [("x-ms-blob-type", "BlockBlob"), .. headers]);

    /// <summary>Set Container ACL takes only the account's key: signed by the adapter's own signer.</summary>
    public Task<string> SetPoliciesByKeyAsync(string xml, string access) =>
        ByKeyAsync(HttpMethod.Put, xml, ("x-ms-blob-public-access", access));

    public Task<string> PoliciesByKeyAsync() => ByKeyAsync(HttpMethod.Get, null);

    private async Task<string> ByKeyAsync(HttpMethod method, string? xml, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(
            method, $"{Endpoint}{Account}/{Container}?restype=container&comp=acl");
        if (xml is not null) request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(xml));
        request.Headers.Add("x-ms-version", AzureClient.Version);
        request.Headers.Add("x-ms-date", DateTimeOffset.UtcNow.ToString("R", CultureInfo.InvariantCulture));
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        new AzureSigner(Account, Convert.FromBase64String(Key)).Sign(request);
        using var answer = await Http.SendAsync(request);
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadAsStringAsync();
    }

    public async ValueTask DisposeAsync() => await PlainAsync(HttpMethod.Delete, "", "restype=container");

    // "Create an account SAS".
    private string AccountSas()
    {
        const string version = "2021-12-02";
        var end = Time(DateTimeOffset.UtcNow.AddHours(1));
        var text = $"{Account}\nrwdlac\nb\nsco\n\n{end}\n\n\n{version}\n\n";
        var signature = Convert.ToBase64String(
            HMACSHA256.HashData(Convert.FromBase64String(Key), Encoding.UTF8.GetBytes(text)));
        return $"sv={version}&ss=b&srt=sco&sp=rwdlac&se={Uri.EscapeDataString(end)}"
            + $"&sig={Uri.EscapeDataString(signature)}";
    }

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}
