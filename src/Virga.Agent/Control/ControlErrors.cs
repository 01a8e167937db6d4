using Virga.Core;

namespace Virga.Agent.Control;

/// <summary>Failures as the local API shows them.</summary>
internal static class ControlErrors
{
    public static ControlError From(Exception e) => e switch
    {
        VirgaException v => new ControlError(v.Kind.ToString(), v.Message, v.Advice),
        OperationCanceledException => new ControlError(nameof(FailureKind.Unavailable), "it was stopped", null),
        _ => new ControlError("Internal", $"a fault of the program: {e.GetType().Name}: {e.Message}",
            "Please report it, with the lines around it in the agent's log."),
    };

    public static int StatusOf(ControlError error) => error.Kind switch
    {
        nameof(FailureKind.BadInput) => 400,
        nameof(FailureKind.NotFound) => 404,
        nameof(FailureKind.Denied) or nameof(FailureKind.Unauthenticated) => 403,
        nameof(FailureKind.Conflict) or nameof(FailureKind.InUse) or nameof(FailureKind.Changed) => 409,
        nameof(FailureKind.Throttled) => 429,
        nameof(FailureKind.Unavailable) or nameof(FailureKind.Timeout) => 503,
        _ => 500,
    };
}
