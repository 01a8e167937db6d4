using System.Net;
using Amazon.Runtime;

namespace Virga.Accounts.Adapters.S3;

/// <summary>
/// Takes in the service's own answers before the SDK sees them: it parses their XML with reads that block a thread
/// for as long as the service pauses. Only an object's content passes as it comes.
/// </summary>
internal sealed class S3Answers(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <summary>A page of a listing has at most 1,000 keys of 1 KiB, each three times as long when escaped.</summary>
    private const int BytesMax = 16 << 20;

    /// <summary>From here on a refusal that comes before the body saves more than the question costs.</summary>
    public const int AskFirstBytes = 2 << 20;

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // Amazon's client asks before every body; for a short one that is a round trip for nothing.
        if (request.Content?.Headers.ContentLength < AskFirstBytes) request.Headers.ExpectContinue = false;
        var answer = await base.SendAsync(request, cancellationToken);
        if (request.Method == HttpMethod.Head || IsContent(request, answer)) return answer;
        try
        {
            await answer.Content.LoadIntoBufferAsync(BytesMax, cancellationToken);
            return answer;
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            answer.Dispose();
            throw new AmazonClientException($"more than {BytesMax >> 20} MiB, where S3 never answers with as much", e);
        }
        catch
        {
            answer.Dispose();
            throw;
        }
    }

    // Every service says when an object was last changed, and of no answer of its own.
    private static bool IsContent(HttpRequestMessage request, HttpResponseMessage answer) =>
        request.Method == HttpMethod.Get
        && answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent
        && answer.Content.Headers.LastModified is not null;
}
