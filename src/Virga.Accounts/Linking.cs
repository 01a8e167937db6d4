using Virga.Core;

namespace Virga.Accounts;

/// <summary>How much of an account is asked for.</summary>
public enum LinkAccess
{
    /// <summary>Reading and writing everything.</summary>
    Full,

    /// <summary>Reading everything, writing nothing.</summary>
    ReadOnly,

    /// <summary>Only files that were made through this link, or a folder of its own.</summary>
    OwnFiles,
}

/// <summary>How the user's agreement comes back.</summary>
public enum LinkWay
{
    /// <summary>A browser on this machine is sent to a port of it (RFC 8252, 7.3).</summary>
    Browser,

    /// <summary>The user types a short code on any device (RFC 8628).</summary>
    Device,

    /// <summary>The user copies the code, or the address that the browser was sent to.</summary>
    Paste,
}

/// <summary>One permission that is asked for.</summary>
/// <param name="Name">As the service calls it.</param>
/// <param name="Permits">What it permits, for the user, before they agree: "read all files".</param>
public sealed record LinkScope(string Name, string Permits);

/// <summary>What can be asked for when an account is linked.</summary>
/// <param name="Title">The service, for people: "Google Drive".</param>
/// <param name="DeviceAccess">The accesses that can be had by <see cref="LinkWay.Device"/>.</param>
/// <param name="Redirect">The address of the browser's way back that is to be registered for the client.</param>
/// <param name="Guide">The page that tells how to make a client, below docs/.</param>
public sealed record LinkOffer(
    string Title, IReadOnlyDictionary<LinkAccess, IReadOnlyList<LinkScope>> Scopes,
    IReadOnlyList<LinkAccess> DeviceAccess, bool NeedsClientSecret, string Redirect, string Guide);

/// <summary>What the user has to do now.</summary>
/// <param name="Url">To be opened in a browser. Holds no secret.</param>
/// <param name="UserCode">To be typed there; null where none is.</param>
/// <param name="Ends">When it is too late; null where the service doesn't say.</param>
public sealed record LinkInvitation(
    LinkWay Way, Uri Url, string? UserCode, DateTimeOffset? Ends, IReadOnlyList<LinkScope> Scopes);

/// <summary>Speaks with the user while an account is linked.</summary>
public interface ILinkDialog
{
    ValueTask InviteAsync(LinkInvitation invitation, CancellationToken cancellationToken);

    /// <summary>The code, or the whole address that the browser was sent to. Asked for by way of Paste alone.</summary>
    ValueTask<string> ReadPastedAsync(CancellationToken cancellationToken);
}

/// <summary>What became of the tokens of an account that was unlinked.</summary>
public enum LinkEnd
{
    /// <summary>The service has ended them.</summary>
    Revoked,

    /// <summary>They were worth nothing any more.</summary>
    EndedBefore,

    /// <summary>The service has no way to end them but a page on which the user does.</summary>
    ByHand,
}

/// <summary>Links accounts of one service with the consent of their owner.</summary>
public interface IAccountLinker
{
    LinkOffer Offer { get; }

    /// <summary>The page where the user sees and ends what they agreed to.</summary>
    Uri Consents { get; }

    /// <summary>
    /// Leads the user through it; returns the secrets to be stored with the account. What it began is over when it
    /// returns, throws or is cancelled.
    /// </summary>
    /// <param name="config">Without those secrets; with the client's id, and its secret where it has one.</param>
    /// <exception cref="VirgaException">
    /// BadInput, Denied (the user said no), Unauthenticated (the client), Timeout, Unsupported (that way), InUse (the
    /// port of the redirect), Unavailable.
    /// </exception>
    Task<IReadOnlyDictionary<string, string>> LinkAsync(
        AccountConfig config, LinkWay way, ILinkDialog dialog, CancellationToken cancellationToken);

    /// <summary>Ends the account's tokens at the service.</summary>
    Task<LinkEnd> RevokeAsync(AccountConfig config, CancellationToken cancellationToken);
}

/// <summary>Optional: an adapter whose accounts are linked.</summary>
public interface ILinkedAdapter : IAccountAdapter
{
    IAccountLinker Linker { get; }

    /// <summary>False for an account of this kind that was never linked, because it has a key of its own.</summary>
    bool IsLinked(AccountConfig config) => true;
}
