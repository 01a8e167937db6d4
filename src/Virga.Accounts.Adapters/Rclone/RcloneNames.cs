using System.Text;

namespace Virga.Accounts.Adapters.Rclone;

/// <summary>
/// rclone's standard form of names (rclone.org/overview, "Restricted characters"): control characters, "." and ".." and
/// a slash inside a name are written as look-alikes, and a look-alike that is really meant as itself behind a quote,
/// U+201B.
/// </summary>
internal static class RcloneNames
{
    private const char Quote =
        '\u201B', Pictures = '\u2400', DeletePicture = '\u2421', WideSlash = '\uFF0F', WideDot = '\uFF0E';
    private const char Delete = '\u007F', LastControl = '\u001F';

    public static string ToStandard(string path) => string.Join('/', path.Split('/').Select(NameToStandard));

    private static string NameToStandard(string name)
    {
        if (name is "\uFF0E" or "\uFF0E\uFF0E") return Quote + string.Join(Quote, name.ToCharArray());
        if (!name.Any(c => c <= LastControl || c == Delete || IsLookAlike(c))) return name;
        var standard = new StringBuilder(name.Length + 8);
        foreach (var c in name)
        {
            if (c <= LastControl) standard.Append((char)(Pictures + c));
            else if (c == Delete) standard.Append(DeletePicture);
            else if (IsLookAlike(c)) standard.Append(Quote).Append(c);
            else standard.Append(c);
        }
        return standard.ToString();
    }

    public static string FromStandard(string name)
    {
        if (name is "\uFF0E") return ".";
        if (name is "\uFF0E\uFF0E") return "..";
        if (!name.Any(IsLookAlike)) return name;
        var plain = new StringBuilder(name.Length);
        for (var i = 0; i < name.Length; i++)
        {
            var c = name[i];
            if (c == Quote && i + 1 < name.Length && (IsLookAlike(name[i + 1]) || name[i + 1] == WideDot))
                plain.Append(name[++i]);
            else if (c is >= Pictures and <= (char)(Pictures + LastControl)) plain.Append((char)(c - Pictures));
            else if (c == DeletePicture) plain.Append(Delete);
            else if (c == WideSlash) plain.Append('/');
            else plain.Append(c);
        }
        return plain.ToString();
    }

    private static bool IsLookAlike(char c) =>
        c is Quote or DeletePicture or WideSlash or (>= Pictures and <= (char)(Pictures + LastControl));
}
