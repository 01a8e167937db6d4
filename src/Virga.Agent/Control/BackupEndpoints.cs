using Microsoft.AspNetCore.Http;
using Virga.Agent.Backups;
using Virga.Core;
using Virga.Hosting;

namespace Virga.Agent.Control;

/// <summary>The local API for backups.</summary>
/// <param name="write">Writes one, for a passphrase.</param>
internal sealed class BackupEndpoints(
    Func<Core.Age.AgePassphrase, Stream, CancellationToken, Task> write, Action<string> log)
{
    public void Map(PeerRoutes routes) => routes.Control("POST", "/control/backup", async http =>
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
    });
}
