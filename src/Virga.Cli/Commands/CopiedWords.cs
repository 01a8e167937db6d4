using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Commands;

/// <summary>What is said of copies that a service made: what was compared with what, and no more than that.</summary>
internal static class CopiedWords
{
    /// <summary>For a table: "copied inside the service, not compared with the share".</summary>
    public static string Short(CopiedInfo copied) => $"{Display.Bytes(copied.Bytes)} copied inside the service, "
        + (copied switch
        {
            { FilesByService: 0, FilesBySample: 0 } => "every byte compared with the share",
            { FilesByService: 0 } => "compared with the share in samples",
            { FilesBySample: 0, FilesInFull: 0 } => "not compared with the share",
            _ => "some of it not compared with the share",
        });

    /// <summary>A sentence for each way in which files were checked.</summary>
    public static IEnumerable<string> Sentences(CopiedInfo copied)
    {
        var files = copied.FilesByService + copied.FilesBySample + copied.FilesInFull;
        yield return $"copied inside the service: {Display.Files(files)}, {Display.Bytes(copied.Bytes)}";
        if (copied.FilesByService > 0)
        {
            yield return $"{Display.Files(copied.FilesByService)}: the same bytes as the owner's, by the service's own "
                + "checksums; not compared with the share (--check sample or full does, or `virga verify`)";
        }
        if (copied.FilesBySample > 0)
        {
            yield return $"{Display.Files(copied.FilesBySample)}: compared with the share in samples"
                + (copied.ComparedBytes > 0 ? $", {Display.Bytes(copied.ComparedBytes)} read back" : "");
        }
        if (copied.FilesInFull > 0)
            yield return $"{Display.Files(copied.FilesInFull)}: every byte read back and verified";
    }
}
