using System.Globalization;
using System.Net;
using System.Xml;
using Amazon.S3.Model;
using Amazon.S3.Util;
using Virga.Accounts.Adapters.Http;
using Virga.Core;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// The three calls that move an object's bytes. There may be thousands of them a second, and Amazon's client needs
/// several times the processor time of the request itself for each; all other calls are left to it.
/// </summary>
internal sealed class S3Objects(S3Bucket bucket, HttpClient http)
{
    private const int ErrorBytesMax = 64 << 10;

    // What is written into a URL is sent as it stands, since it is signed so.
    private static readonly UriCreationOptions AsItStands =
        new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly S3Signer? signer = bucket.Settings is { AccessKey: { } access, SecretKey: { } secret }
        ? new S3Signer(access, secret, bucket.Settings.Region) : null;

    private string? root;

    /// <summary>The ETag of the new object.</summary>
    /// <param name="contentType">Null for what the key's ending says.</param>
    public async Task<string> PutAsync(
        string what, string key, ReadOnlyMemory<byte> content, WriteOptions options, string? contentType,
        CancellationToken cancellationToken)
    {
        var headers = new List<(string Name, string Value)>
        {
            ("content-type", contentType ?? AmazonS3Util.MimeTypeFromExtension(Path.GetExtension(key))),
        };
        headers.AddRange(S3Metadata.Headers(options));
        return await SendBodyAsync(what, key, "", content, headers, cancellationToken);
    }

    /// <summary>The ETag of the part.</summary>
    /// <param name="number">From 1 on.</param>
    public Task<string> PutPartAsync(
        string what, string key, string uploadId, int number, ReadOnlyMemory<byte> content,
        CancellationToken cancellationToken)
    {
        var query = string.Create(
            CultureInfo.InvariantCulture, $"partNumber={number}&uploadId={Uri.EscapeDataString(uploadId)}");
        return SendBodyAsync(what, key, query, content, [], cancellationToken);
    }

    /// <summary>A good answer, whose body is still to come and which belongs to the caller.</summary>
    /// <param name="guard">Lives as long as the answer.</param>
    public Task<HttpResponseMessage> GetAsync(
        string what, string key, Core.ByteRange range, EntryVersion? pin, StallGuard guard,
        CancellationToken cancellationToken)
    {
        var headers = new List<(string Name, string Value)>
        {
            ("range", string.Create(CultureInfo.InvariantCulture, $"bytes={range.Offset}-{range.End - 1}")),
        };
        if (pin is { } version) headers.Add(("if-match", version.Value));
        return SendAsync(what, HttpMethod.Get, key, "", null, headers, guard, cancellationToken);
    }

    /// <summary>Null where the answer doesn't tell it.</summary>
    public static string? Header(HttpResponseMessage answer, string name) =>
        answer.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;

    private async Task<string> SendBodyAsync(
        string what, string key, string query, ReadOnlyMemory<byte> content, List<(string Name, string Value)> headers,
        CancellationToken cancellationToken)
    {
        using var guard = new StallGuard(bucket.Services, cancellationToken);
        using var answer = await SendAsync(
            what, HttpMethod.Put, key, query, content, headers, guard, cancellationToken);
        return Header(answer, "ETag") is { Length: > 0 } etag ? etag : throw S3Failures.NotS3(what, bucket.Endpoint);
    }

    private Task<HttpResponseMessage> SendAsync(
        string what, HttpMethod method, string key, string query, ReadOnlyMemory<byte>? content,
        List<(string Name, string Value)> headers, StallGuard guard, CancellationToken cancellationToken) =>
        bucket.CallAsync(
            what, guard,
            async token =>
            {
                using var request = Request(method, key, query, content, headers, guard);
                var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
                if (answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent) return answer;
                using (answer) throw await RefusedAsync(what, answer, token);
            },
            cancellationToken);

    private HttpRequestMessage Request(
        HttpMethod method, string key, string query, ReadOnlyMemory<byte>? content,
        List<(string Name, string Value)> headers, StallGuard guard)
    {
        root ??= bucket.Client.DetermineServiceOperationEndpoint(
            new GetObjectRequest { BucketName = bucket.Name, Key = key }).URL.TrimEnd('/');
        var url = $"{root}/{AddressParser.EncodePath(key)}";
        var uri = new Uri(query.Length == 0 ? url : $"{url}?{query}", AsItStands);
        var host = uri.IsDefaultPort ? uri.Host : $"{uri.Host}:{uri.Port.ToString(CultureInfo.InvariantCulture)}";
        var request = new HttpRequestMessage(method, uri) { Headers = { Host = host } };
        if (content is { } body)
        {
            request.Content = new MemoryContent(body, guard);
            request.Headers.ExpectContinue = body.Length >= S3Answers.AskFirstBytes;
        }
        if (signer is not null) Sign(request, uri, query, content, headers, host);
        foreach (var (name, value) in headers)
        {
            // A header of the body is refused by the request, and the other way round.
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content?.Headers.TryAddWithoutValidation(name, value);
        }
        return request;
    }

    private void Sign(
        HttpRequestMessage request, Uri uri, string query, ReadOnlyMemory<byte>? content,
        List<(string Name, string Value)> headers, string host)
    {
        var moment = S3Signer.Moment(bucket.Services.Clock.GetUtcNow());
        var payload = bucket.LeavesPayloadUnsigned == true
            ? S3Signer.UnsignedPayload : S3Signer.Hash(content is { } body ? body.Span : default);
        headers.Add(("x-amz-content-sha256", payload));
        headers.Add(("x-amz-date", moment));
        if (bucket.Settings.SessionToken is { } token) headers.Add(("x-amz-security-token", token));
        (string Name, string Value)[] signed = [.. headers, ("host", host)];
        Array.Sort(signed, (a, b) => string.CompareOrdinal(a.Name, b.Name));
        request.Headers.TryAddWithoutValidation(
            "Authorization",
            signer!.Sign(request.Method.Method, uri.AbsolutePath, query, signed, payload, moment));
    }

    private async Task<VirgaException> RefusedAsync(string what, HttpResponseMessage answer, CancellationToken token)
    {
        var refusal = new S3Refusal(
            answer.StatusCode, await CodeAsync(answer, token), answer.Headers.RetryAfter?.Delta, null);
        return S3Failures.FromAnswer(refusal, what, bucket.Settings, bucket.Endpoint);
    }

    /// <summary>Null for what is no error of S3.</summary>
    private static async Task<string?> CodeAsync(HttpResponseMessage answer, CancellationToken token)
    {
        // S3Answers has it in memory already.
        var body = await answer.Content.ReadAsByteArrayAsync(token);
        if (body.Length is 0 or > ErrorBytesMax) return null;
        try
        {
            using var reader = XmlReader.Create(
                new MemoryStream(body), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit });
            return reader.MoveToContent() == XmlNodeType.Element && reader.LocalName == "Error"
                && reader.ReadToDescendant("Code")
                ? reader.ReadElementContentAsString()
                : null;
        }
        catch (XmlException)
        {
            return null;
        }
    }
}
