using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Virga.Agent.Tests.Pages;

/// <summary>Stands before a share page as a proxy would; keeps what was asked, and does harm when told to.</summary>
internal sealed class Front : IAsyncDisposable
{
    private readonly WebApplication application;
    private readonly HttpClient client = new(new SocketsHttpHandler { AllowAutoRedirect = false });
    private readonly Uri target;
    private int cuts;

    private Front(WebApplication application, Uri target)
    {
        this.application = application;
        this.target = target;
    }

    /// <summary>Everything that came: path, query and headers, as text.</summary>
    public ConcurrentQueue<string> Asked { get; } = [];

    public Uri Url => new(application.Urls.First());

    /// <summary>A bit is turned over in the middle of each answer with more than a thousand bytes of a blob.</summary>
    public bool Garbles { get; set; }

    /// <summary>How many answers with bytes of blobs end in their middle.</summary>
    public int Cuts
    {
        get => cuts;
        set => cuts = value;
    }

    public static async Task<Front> StartAsync(Uri target)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var application = builder.Build();
        var front = new Front(application, target);
        application.Run(front.ForwardAsync);
        await application.StartAsync();
        return front;
    }

    public async ValueTask DisposeAsync()
    {
        await application.DisposeAsync();
        client.Dispose();
    }

    private async Task ForwardAsync(HttpContext http)
    {
        var place = http.Request.Path.ToUriComponent() + http.Request.QueryString.ToUriComponent();
        Asked.Enqueue($"{place}\n{string.Join('\n', http.Request.Headers.Select(h => $"{h.Key}: {h.Value}"))}");
        using var message = new HttpRequestMessage(new HttpMethod(http.Request.Method), new Uri(target, place));
        foreach (var header in http.Request.Headers.Where(h => h.Key is not ("Host" or "Connection")))
            message.Headers.TryAddWithoutValidation(header.Key, header.Value.ToArray());
        using var answer = await client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
        http.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers))
            if (name is not ("Transfer-Encoding" or "Date")) http.Response.Headers[name] = values.ToArray();
        var isBlob = place.Contains("/blobs/", StringComparison.Ordinal);
        await using var body = await answer.Content.ReadAsStreamAsync();
        var total = answer.Content.Headers.ContentLength ?? 0;
        var cutAt = isBlob && total > 1000 && Interlocked.Decrement(ref cuts) >= 0 ? total / 2 : long.MaxValue;
        var buffer = new byte[16 << 10];
        for (long at = 0; await body.ReadAsync(buffer) is var read and > 0; at += read)
        {
            if (isBlob && Garbles && total > 1000 && at <= total / 2 && total / 2 < at + read)
                buffer[(total / 2) - at] ^= 4;
            if (at + read > cutAt)
            {
                await http.Response.Body.FlushAsync();
                http.Abort();
                return;
            }
            await http.Response.Body.WriteAsync(buffer.AsMemory(0, read));
        }
    }
}
