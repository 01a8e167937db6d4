using Virga.Agent.Control;
using Virga.Cli.Terminals;

namespace Virga.Cli.Trust;

/// <summary>Shows whose standing changed, or would.</summary>
internal static class TrustChanges
{
    private const int ShownMax = 50;

    /// <summary>One line that counts, then one for each, to be printed or to be asked about.</summary>
    public static IEnumerable<string> Lines(TrustResult result, AgentNames names, bool isReal)
    {
        yield return Headline(result, isReal);
        foreach (var change in result.Changes.Take(ShownMax))
        {
            yield return $"  {names.Label(change.Agent, change.Name)}, {Display.Safe(change.Scope)}: "
                + TrustWords.Change(change, isReal);
        }
        if (result.Changes.Count > ShownMax)
            yield return $"  and {result.Changes.Count - ShownMax:#,0} more: --json names them all";
    }

    /// <summary>The end of a command that changed something.</summary>
    public static int Report(Invocation run, TrustResult result, AgentNames names, string done)
    {
        if (run.IsJson)
        {
            run.PrintJson(result, ControlJson.Default.TrustResult);
            return ExitCode.Ok;
        }
        run.Say(done);
        foreach (var line in Lines(result, names, isReal: true)) run.Print(line);
        if (result.Problem is { } problem)
        {
            run.Say($"  {run.Terminal.Paint.Yellow("note")}: not everybody knows yet: {Display.Safe(problem)}; "
                + "your agent goes on trying");
        }
        return ExitCode.Ok;
    }

    private static string Headline(TrustResult result, bool isReal)
    {
        var fallen = Count(result, c => c.Before is not null && c.After is null);
        var admitted = Count(result, c => c.Before is null && c.After is not null);
        return (fallen, admitted, result.Changes.Count) switch
        {
            (0, 0, 0) => isReal ? "nobody's standing changed" : "nobody's standing would change",
            (0, 0, _) => isReal ? "nobody fell" : "nobody would fall",
            (0, _, _) => Agents(admitted) + (isReal ? " admitted" : " would be admitted"),
            _ => Agents(fallen) + (isReal ? " fell" : " would fall"),
        };
    }

    private static int Count(TrustResult result, Func<TrustChangeInfo, bool> which) =>
        result.Changes.Where(which).Select(c => c.Agent).Distinct(StringComparer.Ordinal).Count();

    private static string Agents(int count) => Display.Count(count, "agent", "agents");
}
