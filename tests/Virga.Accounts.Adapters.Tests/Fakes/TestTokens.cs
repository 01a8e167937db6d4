using Virga.Accounts.Adapters.OAuth;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>Tokens as a linked account has them: the next one when the service refuses one.</summary>
internal sealed class TestTokens(params string[] tokens) : IAccessTokens
{
    private readonly Lock gate = new();
    private int at;

    /// <summary>How many were refused.</summary>
    public int RefusedCount { get; private set; }

    /// <summary>As many as a test may need, the first of which is known already.</summary>
    public static TestTokens Many(string first, Func<string> next) =>
        new([first, .. Enumerable.Range(0, 12).Select(_ => next())]);

    public ValueTask<string> GetAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (gate) return ValueTask.FromResult(tokens[at]);
    }

    public void Refused(string token)
    {
        lock (gate)
        {
            if (token != tokens[at]) return;
            RefusedCount++;
            if (at < tokens.Length - 1) at++;
        }
    }
}
