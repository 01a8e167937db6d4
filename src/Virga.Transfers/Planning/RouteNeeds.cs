namespace Virga.Transfers.Planning;

/// <summary>
/// What each route needs, and which of it is there. A route that nothing offers yet is here all the same.
/// </summary>
internal sealed class RouteNeeds(PlanQuestion question)
{
    private const int SwarmAgentsMin = 2;
    private const string NotTold = "the owner doesn't tell where it keeps this";

    public IEnumerable<(RouteKind Kind, List<RouteNeed> Needs)> All =>
    [
        (RouteKind.ProviderCopy, [.. Always, SameService, Copy]),
        (RouteKind.PullFromUrl, [.. Always, Pull, Urls]),
        (RouteKind.Direct, [.. Always, Urls]),
        (RouteKind.Swarm, [.. Always, Several]),
        (RouteKind.Agent, [.. Always, Answers]),
        (RouteKind.Relay, [.. Always, Answers, Relay, RelayAllowed]),
    ];

    private List<RouteNeed> Always
    {
        get
        {
            var traits = question.Target.Traits;
            var tooLong = question.Content.LargestBytes > traits.FileBytesMax;
            return
            [
                new RouteNeed("the target can be written", traits.IsReadOnly ? "the target is read-only" : null),
                new RouteNeed("the target takes files that long",
                    tooLong ? $"the target takes files of at most {traits.FileBytesMax:N0} bytes" : null),
            ];
        }
    }

    private RouteNeed SameService
    {
        get
        {
            var source = question.Source.CopiedFrom ?? question.Source.Storage;
            var target = question.Target.Place;
            return new RouteNeed(
                "both accounts at one service",
                source is null ? NotTold
                : source.IsLocal || target.IsLocal ? "a folder on a disk has no service that copies"
                : source.Service.Id != target.Service.Id
                    || (source.Service.Id == PriceBook.Unknown.Id && source.Region != target.Region)
                    ? $"the accounts are at {source.Service.Name} and at {target.Service.Name}"
                : null);
        }
    }

    private RouteNeed Copy => new("the owner lets the service copy it", question.Source.WhyNoCopy);

    private RouteNeed Urls => new(
        "signed URLs of the owner's storage",
        question.Source.WhyNoUrls ?? (question.Source.Storage is null ? NotTold : null));

    private RouteNeed Pull => new("a target that pulls from URLs", question.Target.WhyNoPull);

    private RouteNeed Several => new(
        "two agents that have it",
        question.Source.Agents.Count switch
        {
            0 => "nobody who has it answers",
            < SwarmAgentsMin => "only one agent has it",
            _ => null,
        });

    private RouteNeed Answers =>
        new("an agent that has it", question.Source.Agents.Count == 0 ? "nobody who has it answers" : null);

    private RouteNeed Relay => new("a relay", question.WhyNoRelay);

    private RouteNeed RelayAllowed => new("relays are allowed", question.Wish.NoRelay ? "you said --no-relay" : null);
}
