using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using Virga.Agent.Backups;
using Virga.Core;
using Virga.Core.Age;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API for backups.</summary>
/// <param name="write">Writes one, for a passphrase.</param>
/// <param name="restore">Stages one, for the next start; the last but one argument is a session of the page.</param>
/// <param name="restart">Called once the answer that it is staged has been given.</param>
internal sealed class BackupEndpoints(
    Func<AgePassphrase, Stream, CancellationToken, Task> write,
    Func<Stream, AgePassphrase, Hash256?, CancellationToken, Task<BackupLabel>> restore, Action restart,
    Action<string> log)
{
    private const int PassphraseBytesMax = 4096;

    public void Map(PeerRoutes routes)
    {
        routes.Control("POST", "/control/backup", WriteAsync);
        routes.Control("POST", "/control/restore", RestoreAsync);
    }

    private async Task WriteAsync(HttpContext http)
    {
        var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.BackupRequest);
        var passphrase = AgentBackup.Passphrase(request.Passphrase);
        http.Response.ContentType = "application/octet-stream";
        try
        {
            await write(passphrase, http.Response.Body, http.RequestAborted);
        }
        catch (VirgaException e) when (http.Response.HasStarted)
        {
            // Only by cutting the answer can it be told now.
            log($"a backup was not completed: {e.Message}");
            http.Abort();
        }
    }

    /// <summary>A form of two parts, in this order: the passphrase, and the file, which is read as it comes.</summary>
    private async Task RestoreAsync(HttpContext http)
    {
        var boundary = MediaTypeHeaderValue.TryParse(http.Request.ContentType, out var type)
            ? HeaderUtilities.RemoveQuotes(type.Boundary).Value : null;
        if (string.IsNullOrEmpty(boundary)) throw Malformed("it is no form");
        var session = Hash256.TryParse(http.Request.Query["session"].ToString(), out var id) ? id : (Hash256?)null;
        try
        {
            var form = new MultipartReader(boundary, http.Request.Body);
            var passphrase = await PassphraseAsync(await PartAsync(form, "passphrase", http.RequestAborted));
            var file = await PartAsync(form, "file", http.RequestAborted);
            BackupLabel label;
            try
            {
                label = await restore(file, new AgePassphrase(passphrase), session, http.RequestAborted);
            }
            finally
            {
                // Who still sends hears the answer only then.
                await file.CopyToAsync(Stream.Null, http.RequestAborted);
            }
            http.Response.OnCompleted(() =>
            {
                restart();
                return Task.CompletedTask;
            });
            await ControlEndpoints.JsonAsync(
                http, new RestoreResult(label.Agent, label.Time), ControlJson.Default.RestoreResult);
        }
        catch (InvalidDataException e)
        {
            throw Malformed(e.Message);
        }
    }

    private static async Task<Stream> PartAsync(MultipartReader form, string name, CancellationToken cancellationToken)
    {
        var part = await form.ReadNextSectionAsync(cancellationToken);
        return part is not null && part.GetContentDispositionHeader() is { } told
            && HeaderUtilities.RemoveQuotes(told.Name).Equals(name, StringComparison.Ordinal)
            ? part.Body : throw Malformed($"'{name}' is missing");
    }

    private static async Task<string> PassphraseAsync(Stream part)
    {
        var bytes = new byte[PassphraseBytesMax];
        var read = await part.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false);
        if (read is 0 or PassphraseBytesMax)
            throw new VirgaException(FailureKind.BadInput, read == 0 ? "no passphrase was given" : "it is too long");
        return Encoding.UTF8.GetString(bytes, 0, read);
    }

    private static VirgaException Malformed(string why) => new(
        FailureKind.BadInput, $"that is no request to restore a backup: {why}",
        "Send multipart/form-data: 'passphrase', then 'file'.");
}
