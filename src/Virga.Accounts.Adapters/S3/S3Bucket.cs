using System.Buffers;
using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>One bucket as the account's parts see it: keys for paths, and calls whose failures are ours.</summary>
internal sealed class S3Bucket : IDisposable
{
    private static readonly SearchValues<char> UrlForm =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~*/+%");

    private readonly HttpClient http;

    public S3Bucket(S3Settings settings, AdapterServices services)
    {
        Settings = settings;
        Services = services;
        Endpoint = new Endpoint(settings.Endpoint, settings.CertSha256);
        http = S3Client.CreateHttp(Endpoint);
        Client = S3Client.Create(settings, http);
        Objects = new S3Objects(this, http);
    }

    public S3Settings Settings { get; }

    public AdapterServices Services { get; }

    public Endpoint Endpoint { get; }

    public AmazonS3Client Client { get; }

    /// <summary>For the calls that move bytes.</summary>
    public S3Objects Objects { get; }

    public string Name => Settings.Bucket;

    /// <summary>
    /// Over TLS the line already protects the bytes: hashing them for the signature would only cost time.
    /// </summary>
    public bool? LeavesPayloadUnsigned => Settings.Endpoint.Scheme == Uri.UriSchemeHttps ? true : null;

    public string Key(EntryPath path) => Settings.Prefix + path.Value;

    /// <summary>Prefix of all keys in a folder: "" or ending in '/'. Also the key of the folder's marker.</summary>
    public string FolderKey(EntryPath folder) => folder.IsRoot ? Settings.Prefix : Key(folder) + "/";

    /// <summary>False for keys that are no path of an account ("a//b", "../a", a leading '/').</summary>
    public bool TryPath(string key, out EntryPath path)
    {
        path = EntryPath.Root;
        return key.StartsWith(Settings.Prefix, StringComparison.Ordinal)
            && EntryPath.TryParse(key[Settings.Prefix.Length..], out path);
    }

    public async Task<T> CallAsync<T>(
        string what, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(Services, cancellationToken);
        return await CallAsync(what, guard, call, cancellationToken);
    }

    /// <summary>For calls that move many bytes: whoever moves them touches the guard.</summary>
    public async Task<T> CallAsync<T>(
        string what, StallGuard guard, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call(guard.Token);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception) when (guard.HasStalled)
        {
            throw TransportFailures.Stalled(what, guard.Timeout);
        }
        catch (Exception e) when (e is not VirgaException)
        {
            throw S3Failures.Map(e, what, Settings, Endpoint);
        }
    }

    /// <summary>
    /// Null where there is no such object. An answer to HEAD has no body and so no reason: on any other refusal the
    /// bucket is listed, whose refusal tells it.
    /// </summary>
    public async Task<GetObjectMetadataResponse?> HeadAsync(
        string what, string key, CancellationToken cancellationToken)
    {
        var request = new GetObjectMetadataRequest { BucketName = Name, Key = key };
        try
        {
            return await CallAsync(
                what, token => FoundAsync(Client.GetObjectMetadataAsync(request, token)), cancellationToken);
        }
        catch (VirgaException e) when (
            e.Kind is FailureKind.Denied or FailureKind.BadInput or FailureKind.Unauthenticated)
        {
            await ListAsync(what, new ListObjectsV2Request { Prefix = key, MaxKeys = 1 }, cancellationToken);
            throw;
        }
    }

    private static async Task<GetObjectMetadataResponse?> FoundAsync(Task<GetObjectMetadataResponse> call)
    {
        try
        {
            return await call;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>One page. Asks for names in URL form, since XML can't hold every character that a key can.</summary>
    public async Task<ListObjectsV2Response> ListAsync(
        string what, ListObjectsV2Request request, CancellationToken cancellationToken)
    {
        request.BucketName = Name;
        request.Encoding = EncodingType.Url;
        var page = await CallAsync(what, token => Client.ListObjectsV2Async(request, token), cancellationToken);
        // A web page may be XML, too: it must not pass for an empty bucket.
        if (string.IsNullOrEmpty(page.Name) && page is { S3Objects: null or [], CommonPrefixes: null or [] })
            throw S3Failures.NotS3(what, Endpoint);
        if (page.Encoding != EncodingType.Url) return page;
        foreach (var item in page.S3Objects ?? []) item.Key = Decode(item.Key);
        if (page.CommonPrefixes is { } prefixes) page.CommonPrefixes = prefixes.ConvertAll(Decode);
        return page;
    }

    /// <summary>A key in the form of encoding-type=url, where '+' stands for a space.</summary>
    public static string Decode(string key) => WebUtility.UrlDecode(key);

    /// <summary>
    /// A key of a list of uploads. Ceph's gateway encodes them as it is asked to and does not say so; there a space
    /// is %20, and what holds any other character than such a form can is a plain key.
    /// </summary>
    public static string Decode(string key, EncodingType? said)
    {
        if (said == EncodingType.Url) return Decode(key);
        return key.AsSpan().ContainsAnyExcept(UrlForm) ? key : Uri.UnescapeDataString(key);
    }

    public Task DeleteAsync(string what, string key, CancellationToken cancellationToken) => CallAsync(
        what,
        token => Client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = Name, Key = key }, token),
        cancellationToken);

    public void Dispose()
    {
        Client.Dispose();
        http.Dispose();
    }
}
