using Virga.Accounts.Adapters.OAuth;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>Tokens as a linked account has them: the next one when the service refuses one.</summary>
internal sealed class TestTokens(params string[] tokens) : IAccessTokens
{
    private readonly Lock gate = new();
    private int at;

    /// <summary>How many were refused.</summary>
    public int RefusedCount { get; private set; }

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
