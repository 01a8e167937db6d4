using Virga.Accounts;

namespace Virga.Content;

/// <summary>Which symlinks a receiver may create (spec/v1/content.md, Symlinks).</summary>
public static class SymlinkTargets
{
    /// <summary>
    /// Whether a link may lead out of the share. Judged by its text alone: absolute, empty, more <c>..</c> than folders
    /// above it, or a <c>..</c> behind a name (that name may itself be a link, so nobody knows what lies above it).
    /// </summary>
    /// <param name="path">Of the link, from the shared folder.</param>
    /// <param name="target">As written in the link.</param>
    public static bool LeadsOutside(EntryPath path, string target)
    {
        // A backslash or a drive letter at the start is absolute where an account passes links on to Windows.
        if (target.Length == 0 || target[0] is '/' or '\\' || target.Contains('\0')) return true;
        if (target.Length > 2 && char.IsAsciiLetter(target[0]) && target[1] == ':' && target[2] is '/' or '\\')
            return true;
        var depth = path.Names.Length - 1;
        var hasName = false;
        foreach (var range in target.AsSpan().Split('/'))
        {
            var name = target.AsSpan(range);
            if (name.Length == 0 || name is ".") continue;
            if (name is not "..")
            {
                hasName = true;
                continue;
            }
            if (hasName || --depth < 0) return true;
        }
        return false;
    }

    /// <summary>The names of a target as a torrent holds them: cut at each <c>/</c>, empty ones left out.</summary>
    internal static string[] Names(string target) => target.Split('/', StringSplitOptions.RemoveEmptyEntries);
}
