using Virga.Agent.State;
using Virga.Core.Age;
using Virga.Storage;

namespace Virga.Agent.Backups;

/// <summary>
/// A backup that takes the place of an agent with which nothing was done yet, while that one runs: it is unpacked
/// beside it, and put in its place at the next start. A crash at any moment leaves the one or the other.
/// </summary>
internal static class StagedRestore
{
    private const string PartsName = ".restore-parts";

    /// <summary>Whole, and not begun with.</summary>
    private const string NextName = ".restore-next";

    /// <summary>What was there before is aside; what is still in it is to be put in place.</summary>
    private const string NowName = ".restore-now";

    /// <summary>The agent that was replaced.</summary>
    private const string AsideName = "before-restore";

    /// <summary>Unpacks a backup, whole, for <see cref="TakeOver"/>.</summary>
    /// <param name="session">Stays signed in on the page of the agent that comes.</param>
    /// <exception cref="Core.VirgaException">
    /// As <see cref="AgentBackup.RestoreAsync"/>; then nothing is left.
    /// </exception>
    public static async Task<BackupLabel> StageAsync(
        Stream backup, string dataFolder, AgePassphrase passphrase, PageSession? session,
        CancellationToken cancellationToken)
    {
        var parts = Path.Combine(dataFolder, PartsName);
        try
        {
            var label = await AgentBackup.UnpackWholeAsync(backup, parts, passphrase, cancellationToken);
            if (session is not null) await AgentBackup.AddSessionAsync(parts, session, cancellationToken);
            var next = Path.Combine(dataFolder, NextName);
            if (Directory.Exists(next)) Directory.Delete(next, recursive: true);
            Directory.Move(parts, next);
            return label;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AgentBackup.Failed(e, dataFolder);
        }
        finally
        {
            if (Directory.Exists(parts)) Directory.Delete(parts, recursive: true);
        }
    }

    /// <summary>Puts what was staged in place, before anything of the folder is opened.</summary>
    public static void TakeOver(DataFolder folder)
    {
        var (next, now) = (folder.PathOf(NextName), folder.PathOf(NowName));
        try
        {
            if (Directory.Exists(next) && !Directory.Exists(now))
            {
                AgentBackup.PutAside(folder.Path, folder.PathOf(AsideName));
                Directory.Move(next, now);
            }
            if (!Directory.Exists(now)) return;
            AgentBackup.PutInPlace(now, folder.Path);
            Directory.Delete(now, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AgentBackup.Failed(e, folder.Path);
        }
    }
}
