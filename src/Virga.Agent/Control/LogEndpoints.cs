using System.Globalization;
using Microsoft.AspNetCore.Http;
using Virga.Agent.Network;
using Virga.Agent.Trust;
using Virga.Core;
using Virga.Hosting;
using Virga.Trust.Following;
using Virga.Trust.Log;

namespace Virga.Agent.Control;

/// <summary>The local API's part about repositories' logs, and proofs against whoever broke one.</summary>
internal sealed class LogEndpoints(LogService logs, RepositoriesInUse repositories, KnownAgents known)
{
    public void Map(PeerRoutes routes)
    {
        routes.Control("GET", "/control/trust/logs", http =>
            ControlEndpoints.JsonAsync(http, Describe(), ControlJson.Default.ListLogInfo));
        routes.Control("GET", "/control/trust/evidence", http => ControlEndpoints.JsonAsync(
            http, [.. logs.Keeper.All.Select((proof, i) => Describe(proof, i))],
            ControlJson.Default.ListEvidenceInfo));
        routes.Control("GET", "/control/trust/evidence/{number}", http =>
        {
            var all = logs.Keeper.All;
            if (!int.TryParse(http.RouteText("number"), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || number < 1 || number > all.Count)
            {
                throw new VirgaException(FailureKind.NotFound, $"there is no proof '{http.RouteText("number")}'",
                    "The numbers are shown by: virga trust evidence");
            }
            var proof = all[number - 1];
            return ControlEndpoints.JsonAsync(
                http, Describe(proof, number - 1) with { Proof = Convert.ToBase64String(proof.Bytes) },
                ControlJson.Default.EvidenceInfo);
        });
        routes.Control("POST", "/control/trust/evidence", TakeAsync);
    }

    private async Task TakeAsync(HttpContext http)
    {
        var request = await ControlEndpoints.BodyAsync(http, ControlJson.Default.EvidenceBytes);
        var bytes = new byte[(request.Proof.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64String(request.Proof, bytes, out var length))
            throw new VirgaException(FailureKind.BadInput, "the proof is not base64", "Send the file as it is.");
        var proof = Evidence.Parse(bytes[..length]);
        var who = await logs.Keeper.TakeAsync(proof, http.RequestAborted);
        await logs.WrittenAsync();
        var at = logs.Keeper.All.ToList().FindIndex(item => item.Id == proof.Id);
        // Where another one against the same agent is held already, that one does.
        if (at < 0) at = logs.Keeper.All.ToList().FindIndex(item => WhoOf(item) == who);
        await ControlEndpoints.JsonAsync(http, Describe(proof, at), ControlJson.Default.EvidenceInfo);
    }

    private EvidenceInfo Describe(Evidence proof, int index)
    {
        var who = WhoOf(proof);
        var isSettled = proof.Fraud is not null && logs.Keeper.FraudOf(who) is null;
        return new EvidenceInfo(
            index + 1, proof.Id.ToString(), who.ToString(), known.NameOf(who), KindOf(proof), isSettled,
            proof.Bytes.Length);
    }

    private List<LogInfo> Describe()
    {
        var states = logs.Keeper.States.ToDictionary(state => state.Repository);
        var places = logs.Keeper.Places;
        return
        [
            .. repositories.All.Select(choice =>
            {
                var place = places.GetValueOrDefault(choice.Endpoint.Url.Authority);
                var agent = choice.Agent ?? place.Who;
                var state = agent is { } id ? states.GetValueOrDefault(id) : null;
                var breach = agent is { } accused ? logs.Keeper.BreachOf(accused) : null;
                var problem = choice.WhyNot ?? state?.Problem?.What ?? place.Problem;
                var word = breach is not null ? "liar" : choice.WhyNot is not null ? "refused"
                    : problem is not null ? "troubled" : state?.SeenAt is null ? "waiting" : "fine";
                return new LogInfo(
                    choice.Endpoint.ToText(), agent?.ToString(), agent is { } named ? known.NameOf(named) : null,
                    choice.IsTrusted, state?.Newest?.Size, state?.HeadTime, state?.Witnesses ?? 0, state?.SeenAt, word,
                    breach is null ? null : KindOf(breach), problem,
                    choice.WhyNot is null ? state?.Problem?.Since : null);
            }),
        ];
    }

    /// <summary>They were checked before they were kept.</summary>
    private static AgentId WhoOf(Evidence proof) =>
        proof.Fraud?.Agent ?? LogIdentity.RepositoryOf(proof.Breach!.Second.Text.Split('\n')[0])!.Value;

    private static string KindOf(Evidence proof) =>
        proof.Breach?.Kind.ToString().ToLowerInvariant() ?? "two-histories";
}
