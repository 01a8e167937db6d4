using Virga.Core;

namespace Virga.Accounts.Adapters;

/// <summary>What an adapter needs from the process it runs in.</summary>
/// <param name="Clock">For timeouts.</param>
/// <param name="Random">For the names of temporary entries.</param>
/// <param name="Notice">
/// Told, in one sentence for people, what an account holds that Virga can't use and therefore leaves out. Called from any thread.
/// </param>
public sealed record AdapterServices(TimeProvider Clock, RandomBytes Random, Action<string>? Notice = null)
{
    /// <summary>How long a request may go without any byte moving before it is given up as Timeout.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    internal void Tell(string notice) => Notice?.Invoke(notice);

    /// <summary>Lower-case hexadecimal of <paramref name="bytes"/> random bytes.</summary>
    internal string RandomHex(int bytes)
    {
        Span<byte> buffer = stackalloc byte[bytes];
        Random(buffer);
        return Convert.ToHexStringLower(buffer);
    }
}
