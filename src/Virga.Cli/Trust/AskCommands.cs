using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Trust;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust ask</c> and <c>virga trust asked</c>: asking others to vouch.</summary>
internal static class AskCommands
{
    public static Command CreateAsk(GlobalOptions options)
    {
        var who = TrustArguments.Who(options);
        var scopes = TrustArguments.Scopes(TrustArguments.DefaultScope);
        var depth = TrustArguments.Depth("for how many more links you would pass their trust on");
        var days = TrustArguments.Days();
        var note = new Option<string?>("--note")
        {
            HelpName = "TEXT",
            Description = $"what its user reads beside it, at most {VouchAsk.NoteCharsMax} characters",
        };
        var name = TrustArguments.Name();
        var takeBack = new Option<bool>("--take-back")
        {
            Description = "no longer ask; the other's list forgets it", Arity = ArgumentArity.Zero,
        };
        var verb = new Verb("ask", "asks the user of another agent to vouch for you")
        {
            Examples =
            {
                "virga trust ask virga1...@https://bob.example.org --name bob --note \"It's Ann, from the choir\"",
                "virga trust ask bob --scope exchange,host --depth 1 --days 90", "virga trust ask bob --take-back",
            },
            Notes =
            {
                "The other sees your AgentId, its six words, what you ask for and the note, and says yes, yes to "
                    + "less, or no; `virga trust asked` tells. Nothing is given by asking. It waits there for 30 "
                    + "days; asking again takes its place.",
                "So that the other can be sure that it is you: let them read the six words that their list shows, "
                    + "and compare them with `virga trust code`.",
            },
        };
        verb.Add(who);
        verb.Add(scopes);
        verb.Add(depth);
        verb.Add(days);
        verb.Add(note);
        verb.Add(name);
        verb.Add(takeBack);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var given = TrustArguments.ScopesOf(run, scopes);
            var request = new AskRequest(
                "", given.Count > 0 ? given : [TrustArguments.DefaultScope], TrustArguments.DepthOf(run, depth),
                TrustArguments.DaysOf(run, days), VouchAsk.CheckNote(run.Parsed.GetValue(note), "note"));
            using var agent = run.OpenAgent();
            var info = await agent.TrustAsync(cancellationToken);
            var names = new AgentNames(info);
            var target = names.Find(run.Parsed.GetRequiredValue(who));
            if (target.Id.ToString() == info.Agent)
                throw new VirgaException(FailureKind.BadInput, "that is you yourself", "Ask somebody else.");
            var label = names.Label(target.Id.ToString());
            if (run.Parsed.GetValue(takeBack))
            {
                var result = await agent.TakeBackAsync(target.Id.ToString(), cancellationToken);
                if (run.IsJson) run.PrintJson(result, ControlJson.Default.TrustResult);
                run.Say($"you no longer ask {label}");
                if (result.Problem is { } problem)
                    run.Say($"  it could not be told: {Display.Safe(problem)}; there it waits until it expires");
                return ExitCode.Ok;
            }
            var asked = await agent.AskAsync(request with { Agent = target.Wire }, cancellationToken);
            if (run.Parsed.GetValue(name) is { } called)
            {
                await agent.SetNameAsync(new NameRequest(target.Wire, called), cancellationToken);
                label = new AgentNames(await agent.TrustAsync(cancellationToken)).Label(asked.Agent);
            }
            if (run.IsJson)
            {
                run.PrintJson(asked, ControlJson.Default.AskedInfo);
                return ExitCode.Ok;
            }
            run.Print(run.Terminal.OutWrapped(
                $"asked {label} to vouch for you: {TrustWords.Wish(asked.Scopes, asked.Depth, asked.Days)}",
                indent: 2));
            run.Say($"it waits there until {TrustWords.Day(asked.Expires)}; `virga trust asked` tells the answer");
            run.Say("tell the other your six words, by a voice they know: "
                + run.Terminal.Paint.Bold(string.Join(' ', FingerprintWords.Of(AgentId.Parse(info.Agent)))));
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateAsked(GlobalOptions options)
    {
        var verb = new Verb("asked", "shows what came of your requests for a vouch")
        {
            Examples = { "virga trust asked" },
            Notes =
            {
                "A yes is believed when the vouch stands in the other's public sigchain. `virga trust ask WHO "
                    + "--take-back` takes one off the list.",
            },
        };
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var names = new AgentNames(await agent.TrustAsync(cancellationToken));
            var list = await agent.AskedAsync(cancellationToken);
            if (run.IsJson) run.PrintJson(list, ControlJson.Default.ListAskedInfo);
            else if (list.Count == 0) run.Say("you have asked nobody: `virga trust ask WHO`");
            else foreach (var asked in list) Show(run, names, asked);
            return ExitCode.Ok;
        });
        return verb;
    }

    private static void Show(Invocation run, AgentNames names, AskedInfo asked)
    {
        var paint = run.Terminal.OutPaint;
        var verdict = $"{paint.Bold(names.Label(asked.Agent, asked.Name))}: " + asked.State switch
        {
            "Vouched" when asked.Vouch is { } vouch =>
                $"{paint.Green("vouches for you")}: {TrustWords.Vouch(vouch)}  #{vouch.Seq}",
            "Vouched" => $"{paint.Yellow("said yes")}, but no vouch for you counts any more: it was taken back, "
                + "or has ended",
            "Refused" => $"{paint.Red("said no")}"
                + (asked.Reason is { } reason ? $": \"{Display.Safe(reason)}\"" : ", and gave no reason"),
            "Expired" => $"{paint.Yellow("never answered")}",
            _ => $"{paint.Yellow("waiting")} until {TrustWords.Day(asked.Expires)}",
        };
        Print(verdict);
        Print($"  asked {Display.Moment(asked.Asked)} for "
            + TrustWords.Wish(asked.Scopes, asked.Depth, asked.Days));
        if (asked.Note is { } note) Print($"  note  \"{Display.Safe(note)}\"");
        if (asked.Problem is { } problem) Print($"  {paint.Yellow("but")}   {Display.Safe(problem)}");

        void Print(string line)
        {
            const int afterLabel = 8;
            run.Print(run.Terminal.OutWrapped(line, afterLabel));
        }
    }
}
