using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust vouch</c> and <c>virga trust add</c>.</summary>
internal static class VouchCommands
{
    public static Command CreateVouch(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var scopes = TrustArguments.Scopes(TrustArguments.DefaultScope);
        var depth = TrustArguments.Depth("for how many more links it may pass your trust on");
        var days = TrustArguments.Days();
        var name = TrustArguments.Name();
        var yes = Confirmation.Option();
        var verb = new Verb("vouch", "vouches for an agent: admits it, for what you say and as long as you say")
        {
            Examples =
            {
                "virga trust vouch virga1...@https://bob.example.org --name bob",
                "virga trust vouch bob --scope exchange --scope host --depth 1 --days 90",
            },
            Notes =
            {
                "It says what the other may do then, and asks. Compare the code words first: "
                    + "`virga trust code --check`. The last word counts: a new vouch takes the place of an older one "
                    + "for the same scope.",
                "A vouch stands in your public sigchain, signed: everybody can read it, and it can't be unsaid, only "
                    + "revoked. Ends with 1 when you say no.",
            },
        };
        verb.Add(who);
        verb.Add(scopes);
        verb.Add(depth);
        verb.Add(days);
        verb.Add(name);
        verb.Add(yes);
        verb.Run(options, (run, cancellationToken) =>
        {
            var given = TrustArguments.ScopesOf(run, scopes);
            return VouchAsync(
                run, run.Parsed.GetRequiredValue(who),
                new VouchRequest(
                    "", given.Count > 0 ? given : [TrustArguments.DefaultScope],
                    TrustArguments.DepthOf(run, depth),
                    TrustArguments.DaysOf(run, days), run.Parsed.GetValue(name)),
                run.Parsed.GetValue(yes), cancellationToken);
        });
        return verb;
    }

    public static Command CreateAdd(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var days = TrustArguments.Days();
        var name = TrustArguments.Name();
        var yes = Confirmation.Option();
        var verb = new Verb("add", "vouches for an agent to exchange with, and for nobody behind it")
        {
            Examples = { "virga trust add virga1...@https://bob.example.org --name bob" },
            Notes = { "The same as `virga trust vouch WHO --scope exchange --depth 0`." },
        };
        verb.Add(who);
        verb.Add(days);
        verb.Add(name);
        verb.Add(yes);
        verb.Run(options, (run, cancellationToken) => VouchAsync(
            run, run.Parsed.GetRequiredValue(who),
            new VouchRequest(
                "", [TrustArguments.DefaultScope], 0, TrustArguments.DaysOf(run, days), run.Parsed.GetValue(name)),
            run.Parsed.GetValue(yes), cancellationToken));
        return verb;
    }

    private static async Task<int> VouchAsync(
        Invocation run, string who, VouchRequest request, bool isYes, CancellationToken cancellationToken)
    {
        var given = AgentNames.TryAddress(who);
        using var agent = run.OpenAgent();
        var info = await agent.TrustAsync(cancellationToken);
        var names = new AgentNames(info);
        var target = given ?? names.Find(who);
        var id = target.Id.ToString();
        if (id == info.Agent)
            throw new VirgaException(
                FailureKind.BadInput, "that is you yourself: your own word counts without a vouch",
                "Give the address of the other, as `virga id` prints it there.");
        if (!await Confirmation.AskAsync(
            run, Meaning(run, info, names, target, request), "Vouch?", isYes, cancellationToken))
        {
            return ExitCode.Failed;
        }
        var result = await agent.VouchAsync(request with { Agent = target.Wire }, cancellationToken);
        names = new AgentNames(await agent.TrustAsync(cancellationToken));
        return TrustChanges.Report(
            run, result, names, $"vouched for {names.Label(id, request.Name)}; `virga trust revoke` takes it back");
    }

    /// <summary>What the vouch says, in words that a lay person can weigh.</summary>
    public static List<string> Meaning(
        Invocation run, TrustInfo info, AgentNames names, Target target, VouchRequest request)
    {
        var paint = run.Terminal.Paint;
        var id = target.Id.ToString();
        var until = run.Terminal.Time.GetUtcNow().AddDays(request.Days);
        var called = names.NameOf(id) ?? request.Name;
        var lines = new List<string>
        {
            $"You are about to vouch for {paint.Bold(called is null ? "an agent" : Display.Safe(called))}",
            $"  who          {id}",
            $"  its code     {paint.Bold(string.Join(' ', FingerprintWords.Of(target.Id)))}",
        };
        var label = "it may";
        foreach (var scope in request.Scopes)
        {
            lines.Add($"  {label,-11}  {TrustWords.Means(scope)} [{scope}]");
            label = "";
        }
        lines.Add($"  for          {Display.Count(request.Days, "day", "days")}, "
            + $"until {TrustWords.Day(until)}, unless you revoke it");
        lines.Add("  it reaches   " + Reach(request.Depth));
        foreach (var before in info.Vouches.Where(
            v => v.Subject == id && v.Scopes.Intersect(request.Scopes, StringComparer.Ordinal).Any()))
        {
            lines.Add($"  in place of  your vouch #{before.Seq}: {TrustWords.Vouch(before)}");
        }
        if (info.Names.TryGetValue(id, out var old) && request.Name is { } fresh && fresh != old)
            lines.Add($"  its name     {Display.Safe(fresh)}, so far {Display.Safe(old)}");
        if (info.Refused.Contains(id, StringComparer.Ordinal))
        {
            lines.Add("  " + paint.Yellow("note")
                + "         it is refused, and stays so until `virga trust accept`");
        }
        lines.Add("  public       everybody can read that you vouch for it");
        const int afterLabel = 15;
        return lines.ConvertAll(line => run.Terminal.Wrapped(line, afterLabel));
    }

    private static string Reach(int depth) => depth switch
    {
        0 => "this agent alone: it can't pass your trust on",
        1 => "this agent, and all whom it vouches for: they are admitted too, without your being asked",
        _ => $"this agent, all whom it vouches for, and whom those vouch for, up to {depth} links behind it: "
            + "they are admitted too, without your being asked",
    };
}
