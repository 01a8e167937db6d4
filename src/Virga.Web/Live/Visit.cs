using Virga.Core;

namespace Virga.Web.Live;

/// <summary>Whose open page it is: one for each circuit.</summary>
public sealed class Visit
{
    public const string ThemeCookie = "virga-theme";

    /// <summary>The session that it was opened with.</summary>
    public Hash256? Session { get; set; }

    /// <summary>Whether folders are shown as pictures.</summary>
    public bool IsGrid { get; set; }

    /// <summary>auto, light or dark.</summary>
    public string Theme { get; set; } = "auto";
}
