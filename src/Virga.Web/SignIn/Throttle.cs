namespace Virga.Web.SignIn;

/// <summary>
/// Slows down who tries passwords: after a few failures each further one doubles the wait before the next try. There
/// is one user, so there is one count: many addresses gain nothing, and a link of the command line is never slowed.
/// </summary>
internal sealed class Throttle(TimeProvider time)
{
    private const int FreeFailures = 5;
    private static readonly TimeSpan WaitMax = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan ForgottenAfter = TimeSpan.FromHours(1);

    private readonly Lock gate = new();
    private int failures;
    private long lastFailure;

    /// <summary>How long until a try is looked at; zero: now, and it counts as a failure until it is cleared.</summary>
    public TimeSpan Begin()
    {
        lock (gate)
        {
            var passed = time.GetElapsedTime(lastFailure);
            if (failures > 0 && passed > ForgottenAfter) failures = 0;
            var wait = failures < FreeFailures ? TimeSpan.Zero
                : TimeSpan.FromSeconds(Math.Min(WaitMax.TotalSeconds, Math.Pow(2, failures - FreeFailures + 1)));
            if (failures > 0 && passed < wait) return wait - passed;
            failures++;
            lastFailure = time.GetTimestamp();
            return TimeSpan.Zero;
        }
    }

    public void Clear()
    {
        lock (gate) failures = 0;
    }
}
