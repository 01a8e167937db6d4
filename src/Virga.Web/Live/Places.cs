namespace Virga.Web.Live;

/// <summary>Addresses of the page's own places.</summary>
internal static class Places
{
    public static string Files(string account, string path = "")
    {
        var tail = path.Length == 0 ? ""
            : "/" + string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
        return $"/files/{Uri.EscapeDataString(account)}{tail}";
    }

    public static string Share(string account, string path) =>
        $"/share?account={Uri.EscapeDataString(account)}&path={Uri.EscapeDataString(path)}";

    public static string NameOf(string path) => path[(path.LastIndexOf('/') + 1)..];

    public static string ParentOf(string path) => path.LastIndexOf('/') is > 0 and var i ? path[..i] : "";

    public static string Join(string folder, string name) => folder.Length == 0 ? name : $"{folder}/{name}";
}
