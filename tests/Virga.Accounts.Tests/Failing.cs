using Virga.Core;

namespace Virga.Accounts.Tests;

internal static class Failing
{
    public static async Task<VirgaException> AsyncWith(FailureKind kind, Func<Task> action)
    {
        var failure = await Assert.ThrowsAsync<VirgaException>(action);
        Assert.Equal(kind, failure.Kind);
        return failure;
    }

    public static VirgaException With(FailureKind kind, Action action)
    {
        var failure = Assert.Throws<VirgaException>(action);
        Assert.Equal(kind, failure.Kind);
        return failure;
    }
}
