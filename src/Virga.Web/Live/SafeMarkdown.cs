using Markdig;
using Markdig.Extensions.TaskLists;
using Markdig.Renderers;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;
using Microsoft.AspNetCore.Components;

namespace Virga.Web.Live;

/// <summary>
/// Markdown of other people as HTML that can do nothing: markup in it is shown as text, links lead to the web or to
/// nowhere, and pictures are shown only when they lie in the same account.
/// </summary>
internal static class SafeMarkdown
{
    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder()
        .DisableHtml().UsePipeTables().UseTaskLists().UseEmphasisExtras().UseAutoLinks().Build();

    /// <param name="pictureUrl">Where a picture beside the document is read; null where there is none.</param>
    public static MarkupString Render(string text, Func<string, string?> pictureUrl)
    {
        var document = Markdown.Parse(text, Pipeline);
        // A list first: what is replaced is not walked any more.
        foreach (var link in document.Descendants<LinkInline>().ToList())
        {
            if (link.IsImage) Show(link, pictureUrl);
            else if (IsWeb(link.Url)) Lead(link);
            else link.Url = null;
        }
        foreach (var link in document.Descendants<AutolinkInline>().ToList())
        {
            if (link.IsEmail || IsWeb(link.Url)) Lead(link);
            else link.ReplaceBy(new LiteralInline(link.Url));
        }
        // A box that nobody can tick is a sign, not a field of a form without a name.
        foreach (var box in document.Descendants<TaskList>().ToList())
            box.ReplaceBy(new LiteralInline(box.Checked ? "\u2611" : "\u2610"));
        foreach (var link in document.Descendants<LinkInline>().Where(l => l.Url is null).ToList()) Flatten(link);
        using var writer = new StringWriter();
        var renderer = new HtmlRenderer(writer);
        Pipeline.Setup(renderer);
        renderer.Render(document);
        return new MarkupString(writer.ToString());
    }

    private static bool IsWeb(string? url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri)
            && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps
                || uri.Scheme == Uri.UriSchemeMailto);

    /// <summary>Opened by who clicks it, without a word of where from.</summary>
    private static void Lead(IMarkdownObject link)
    {
        var attributes = Markdig.Renderers.Html.HtmlAttributesExtensions.GetAttributes(link);
        attributes.AddProperty("target", "_blank");
        attributes.AddProperty("rel", "noopener noreferrer nofollow");
    }

    private static void Show(LinkInline picture, Func<string, string?> pictureUrl)
    {
        var isBeside = Uri.TryCreate(picture.Url, UriKind.Relative, out _) && picture.Url is not ['/' or '\\', ..];
        picture.Url = isBeside ? pictureUrl(Uri.UnescapeDataString(picture.Url!.Split('?', '#')[0])) : null;
        if (picture.Url is null) return;
        picture.GetDynamicUrl = null;
        Markdig.Renderers.Html.HtmlAttributesExtensions.GetAttributes(picture).AddProperty("loading", "lazy");
    }

    /// <summary>A link that leads nowhere leaves its text.</summary>
    private static void Flatten(LinkInline link)
    {
        var container = new ContainerInline();
        link.ReplaceBy(container, copyChildren: true);
    }
}
