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
}
