namespace Virga.Accounts.Adapters.OAuth;

/// <summary>
/// The access tokens of one linked account, always one that holds. Safe to use from many tasks at once: however many
/// ask, one renewal runs. A token never stands in a log, an error or a ToString.
/// </summary>
public interface IAccessTokens
{
    /// <summary>
    /// A token for the header <c>Authorization: Bearer</c> of one request. Ask anew for each request: it costs nothing
    /// while the token holds.
    /// </summary>
    /// <exception cref="Core.VirgaException">
    /// Unauthenticated: the service no longer takes the refresh token, and the account must be linked again. Also
    /// Unavailable, Timeout and Throttled of the token's renewal, and Full or Denied where a replaced refresh token
    /// couldn't be stored.
    /// </exception>
    ValueTask<string> GetAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Tells that the service answered this token with 401: the next <see cref="GetAsync"/> renews it. Nothing happens
    /// when it was renewed meanwhile.
    /// </summary>
    void Refused(string token);
}
