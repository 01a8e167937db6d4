using System.Net;
using System.Text;

namespace Virga.Accounts.Adapters.OAuth;

/// <summary>
/// What the browser shows at the end. It loads nothing, runs nothing, is kept nowhere, and tells no other site the
/// address that it was reached by, in which the code stands.
/// </summary>
internal sealed record LinkPage(int Status, string Title, string Words)
{
    public static LinkPage NotFound { get; } = new(404, "Nothing here", "This address is for one answer only.");

    public static LinkPage Linked(string service) => new(
        200, $"{service} is linked", "Virga goes on in your terminal. You may close this window.");

    public static LinkPage Refused(string words) => new(400, "Not linked", words);

    public byte[] Write()
    {
        var body = Encoding.UTF8.GetBytes(Html());
        var head = $"HTTP/1.1 {Status} {(Status == 200 ? "OK" : "Refused")}\r\n"
            + $"Content-Type: text/html; charset=utf-8\r\nContent-Length: {body.Length}\r\nConnection: close\r\n"
            + "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
            + "X-Frame-Options: DENY\r\n"
            + "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
            + "form-action 'none'; frame-ancestors 'none'\r\n\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. body];
    }

    private string Html() => $$"""
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{{WebUtility.HtmlEncode(Title)}}</title>
        <style>
          :root { color-scheme: light dark; }
          body { margin: 0; min-height: 100vh; display: grid; place-items: center;
                 font: 1.1rem/1.6 system-ui, sans-serif; background: Canvas; color: CanvasText; }
          main { max-width: 26rem; padding: 2rem; text-align: center; }
          .mark { font-size: 3rem; line-height: 1; color: {{(Status == 200 ? "#1a7f37" : "#b35900")}}; }
          h1 { margin: 1rem 0 .5rem; font-size: 1.5rem; }
          p { margin: 0; opacity: .8; }
        </style>
        <main>
          <div class="mark" aria-hidden="true">{{(Status == 200 ? "&#10003;" : "&#9888;")}}</div>
          <h1>{{WebUtility.HtmlEncode(Title)}}</h1>
          <p>{{WebUtility.HtmlEncode(Words)}}</p>
        </main>
        </html>
        """;
}
