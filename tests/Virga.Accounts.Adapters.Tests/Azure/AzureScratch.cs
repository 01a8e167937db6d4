using System.Globalization;
using System.Text;
using Virga.Accounts.Adapters.Azure;
using Virga.Testing.Servers;

namespace Virga.Accounts.Adapters.Tests.Azure;

/// <summary>A new container of Azurite, and accounts on it.</summary>
internal sealed class AzureScratch : IAsyncDisposable
{
    private static readonly HttpClient Http = new();

    private readonly AzuriteContainer plain;

    private AzureScratch(AzuriteContainer plain) => this.plain = plain;

    public string Container => plain.Container;

    public Uri Endpoint => plain.Endpoint;

    public string Account => plain.Account;

    public string Key => plain.Key;

    public static async Task<AzureScratch> CreateAsync(string user = "") =>
        new(await AzuriteContainer.CreateAsync($"virga-{Guid.NewGuid():n}", TimeProvider.System, user));

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

    public string Sas(string permissions, DateTimeOffset? expires = null, DateTimeOffset? starts = null) =>
        plain.Sas(permissions, expires, starts);

    public Task PutPlainAsync(string name, string content = "x", params (string, string)[] headers) =>
        plain.PutAsync(name, Encoding.UTF8.GetBytes(content), headers);

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

    public ValueTask DisposeAsync() => plain.DisposeAsync();
}
