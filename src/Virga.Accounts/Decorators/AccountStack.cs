using Virga.Core;

namespace Virga.Accounts.Decorators;

/// <summary>The decorators put together.</summary>
public static class AccountStack
{
    /// <summary>
    /// The decorators that every account in use gets, in their right order: each try is metered, no permit is held
    /// during a pause between two tries.
    /// </summary>
    public static IAccount WithCare(
        this IAccount account,
        TimeProvider time,
        RandomBytes random,
        FairLimiter? limiter = null,
        RetryOptions? retries = null) =>
        new RetryingAccount(new LimitedAccount(new MeteredAccount(account, time), limiter), time, random, retries);
}
