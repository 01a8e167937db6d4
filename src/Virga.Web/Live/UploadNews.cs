namespace Virga.Web.Live;

/// <summary>Tells the parts of one open page that a file has come.</summary>
public sealed class UploadNews
{
    /// <summary>The account and folder that it went to; called on the page's own thread of work.</summary>
    public event Action<string, string>? Came;

    public void Tell(string account, string folder) => Came?.Invoke(account, folder);
}
