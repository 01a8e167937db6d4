using System.CommandLine;
using Virga.Agent.Control;
using Virga.Cli.Terminals;
using Virga.Core;

namespace Virga.Cli.Trust;

/// <summary><c>virga trust requests</c> and <c>virga trust answer</c>: others who ask for a vouch.</summary>
internal static class RequestCommands
{
    private const string Waiting = "Waiting";
    private const int AfterLabel = 10;

    public static Command CreateRequests(GlobalOptions options)
    {
        var all = new Option<bool>("--all") { Description = "also those that you have answered" };
        var verb = new Verb("requests", "lists who asks you to vouch for them")
        {
            Examples = { "virga trust requests", "virga trust requests --all --json" },
            Notes =
            {
                "Anybody can ask, and the note is theirs: it proves nothing. The six words do, once the person has "
                    + "read them to you. `virga trust answer` says yes or no; who gets no answer is forgotten after "
                    + "30 days.",
            },
        };
        verb.Add(all);
        verb.Run(options, async (run, cancellationToken) =>
        {
            using var agent = run.OpenAgent();
            var names = new AgentNames(await agent.TrustAsync(cancellationToken));
            var isAll = run.Parsed.GetValue(all);
            var list = (await agent.RequestsAsync(cancellationToken)).Where(r => isAll || r.State == Waiting).ToList();
            if (run.IsJson)
            {
                run.PrintJson(list, ControlJson.Default.ListRequestInfo);
                return ExitCode.Ok;
            }
            foreach (var request in list) Show(run, names, request);
            if (list.FirstOrDefault(r => r.State == Waiting) is { } first)
                run.Say($"to answer: `virga trust answer {first.Id}`; it shows what a yes would allow, and asks");
            else if (list.Count == 0) run.Say("nobody waits for an answer");
            return ExitCode.Ok;
        });
        return verb;
    }

    public static Command CreateAnswer(GlobalOptions options)
    {
        var id = new Argument<long>("ID") { Description = "the request's number, as `virga trust requests` shows it" };
        id.CompletionSources.Add(context => Completions.Requests(options, context));
        var yes = Confirmation.Option();
        var no = new Option<bool>("--no")
        {
            Description = "say no; the other is told when it asks", Arity = ArgumentArity.Zero,
        };
        var reason = new Option<string?>("--reason")
        {
            HelpName = "TEXT", Description = "with --no: what the other reads, at most 280 characters",
        };
        var drop = new Option<bool>("--drop")
        {
            Description = "forget the request without an answer", Arity = ArgumentArity.Zero,
        };
        var scopes = TrustArguments.Scopes("all that was asked");
        var depth = new Option<int?>("--depth")
        {
            HelpName = "N", Description = "give a smaller depth than was asked (default: as asked)",
        };
        var days = new Option<int?>("--days")
        {
            HelpName = "N", Description = "give fewer days than were asked (default: as asked)",
        };
        var name = TrustArguments.Name();
        var verb = new Verb("answer", "answers who asks you for a vouch: yes, yes to less, or no")
        {
            Examples =
            {
                "virga trust answer 3", "virga trust answer 3 --name bob --depth 0 --days 90",
                "virga trust answer 3 --no --reason \"please call me first\"",
            },
            Notes =
            {
                "It shows what a yes would allow, and asks; a yes is a vouch as `virga trust vouch` makes it. Who asks "
                    + "for something else meanwhile gets another number: nobody gets more than you were shown. Ends "
                    + "with 1 when you say no to the question; then the request goes on waiting.",
            },
        };
        verb.Add(id);
        verb.Add(scopes);
        verb.Add(depth);
        verb.Add(days);
        verb.Add(name);
        verb.Add(yes);
        verb.Add(no);
        verb.Add(reason);
        verb.Add(drop);
        verb.Run(options, async (run, cancellationToken) =>
        {
            var (isYes, isNo, isDrop) =
                (run.Parsed.GetValue(yes), run.Parsed.GetValue(no), run.Parsed.GetValue(drop));
            if ((isYes ? 1 : 0) + (isNo ? 1 : 0) + (isDrop ? 1 : 0) > 1)
                throw new VirgaException(
                    FailureKind.BadInput, "yes, no or no answer at all?", "Give one of --yes, --no and --drop.");
            var wanted = TrustArguments.ScopesOf(run, scopes);
            using var agent = run.OpenAgent();
            var info = await agent.TrustAsync(cancellationToken);
            var names = new AgentNames(info);
            var number = run.Parsed.GetRequiredValue(id);
            var request = (await agent.RequestsAsync(cancellationToken))
                .FirstOrDefault(r => r.Id == number && r.State == Waiting) ?? throw new VirgaException(
                    FailureKind.NotFound, $"no request {number} waits for an answer",
                    "See `virga trust requests`; who asks for something else gets another number.");
            if (isNo || isDrop)
                return await DeclineAsync(
                    run, agent, names, request, isDrop, run.Parsed.GetValue(reason), cancellationToken);
            var given = new AnswerRequest(
                true, Less(request.Scopes, wanted), Less(run.Parsed.GetValue(depth), 0, request.Depth, "the depth"),
                Less(run.Parsed.GetValue(days), 1, request.Days, "the number of days"), run.Parsed.GetValue(name));
            var meaning = VouchCommands.Meaning(
                run, info, names, new Target(AgentId.Parse(request.Agent), request.Agent),
                new VouchRequest(request.Agent, given.Scopes, given.Depth, given.Days, given.Name));
            var shown = Lines(run.Terminal.Paint, names, request)
                .Select(line => run.Terminal.Wrapped(line, AfterLabel));
            if (!await Confirmation.AskAsync(
                run, [.. shown, "", .. meaning], "Vouch?", isYes,
                cancellationToken))
            {
                run.Say($"the request goes on waiting; to say no: `virga trust answer {number} --no`");
                return ExitCode.Failed;
            }
            var result = await agent.AnswerAsync(number, given, cancellationToken);
            names = new AgentNames(await agent.TrustAsync(cancellationToken));
            return TrustChanges.Report(
                run, result, names,
                $"vouched for {names.Label(request.Agent, given.Name)}; `virga trust revoke` takes it back");
        });
        return verb;
    }

    private static async Task<int> DeclineAsync(
        Invocation run, ControlClient agent, AgentNames names, RequestInfo request, bool isDrop, string? reason,
        CancellationToken cancellationToken)
    {
        var label = names.Label(request.Agent, request.Name);
        if (isDrop)
        {
            await agent.DropRequestAsync(request.Id, cancellationToken);
            run.Say($"forgotten: {label} gets no answer");
            return ExitCode.Ok;
        }
        var result = await agent.AnswerAsync(
            request.Id, new AnswerRequest(false, [], 0, 0, null, reason), cancellationToken);
        if (run.IsJson) run.PrintJson(result, ControlJson.Default.TrustResult);
        run.Say($"said no to {label}; it may ask again in a day, unless you rule it out: `virga trust refuse`");
        return ExitCode.Ok;
    }

    private static void Show(Invocation run, AgentNames names, RequestInfo request)
    {
        foreach (var line in Lines(run.Terminal.OutPaint, names, request))
            run.Print(run.Terminal.OutWrapped(line, AfterLabel));
    }

    private static IEnumerable<string> Lines(Paint paint, AgentNames names, RequestInfo request)
    {
        yield return $"{paint.Bold($"{request.Id}")}  {paint.Bold(names.Label(request.Agent, request.Name))}  "
            + Display.Moment(request.Asked) + request.State switch
            {
                Waiting => "",
                "Vouched" => ", you said yes",
                _ => ", you said no" + (request.Reason is { } reason ? $": \"{Display.Safe(reason)}\"" : ""),
            };
        yield return $"   asks   {TrustWords.Wish(request.Scopes, request.Depth, request.Days)}";
        if (request.Note is { } note) yield return $"   note   \"{Display.Safe(note)}\"";
        yield return $"   code   {string.Join(' ', request.Code)}";
        yield return "   known  " + (request.AdmittedFor.Count == 0
            ? "no: nobody whom you trust vouches for it"
            : $"admitted for {TrustWords.Scopes(request.AdmittedFor)}: {Path(names, request)}");
    }

    private static string Path(AgentNames names, RequestInfo request) => request.Chain.Count == 0
        ? "a root of yours"
        : string.Join(" > ", request.Chain.Select(link => names.NameOf(link.Subject) ?? Display.Short(link.Subject))
            .Prepend(names.NameOf(request.Chain[0].Issuer) ?? Display.Short(request.Chain[0].Issuer))
            .Select(Display.Safe));

    private static IReadOnlyList<string> Less(IReadOnlyList<string> asked, IReadOnlyList<string> given) =>
        given.Except(asked, StringComparer.Ordinal).FirstOrDefault() is { } more
            ? throw new VirgaException(
                FailureKind.BadInput, $"{more} was not asked for", "More is given by `virga trust vouch`.")
            : given.Count == 0 ? asked : given;

    private static int Less(int? given, int least, int asked, string what) => given is not { } value || (
        value >= least && value <= asked)
        ? given ?? asked
        : throw new VirgaException(
            FailureKind.BadInput, $"{what} can't be {value}",
            $"Give {least:#,0} to {asked:#,0}, as was asked; more is given by `virga trust vouch`.");
}
