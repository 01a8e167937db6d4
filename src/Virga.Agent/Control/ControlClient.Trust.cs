using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;

namespace Virga.Agent.Control;

/// <summary>The routes about trust. WHO is an AgentId, an address or a name that the user gave.</summary>
public sealed partial class ControlClient
{
    public Task<TrustInfo> TrustAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/trust", null, ControlJson.Default.TrustInfo, cancellationToken);

    public Task<TrustVersion> TrustVersionAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/trust/version", null, ControlJson.Default.TrustVersion, cancellationToken);

    public Task<List<AdmittedInfo>> AdmittedAsync(string scope, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"/control/trust/agents?scope={Escape(scope)}", null, ControlJson.Default.ListAdmittedInfo,
        cancellationToken);

    /// <summary>What is known now of those who are admitted; nobody is asked for news.</summary>
    /// <param name="text">Part of a name or an id; empty: all.</param>
    public Task<AdmittedFound> FindAdmittedAsync(
        string scope, string text, int most, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get,
        string.Create(
            CultureInfo.InvariantCulture,
            $"/control/trust/find?scope={Escape(scope)}&text={Escape(text)}&most={most}"),
        null, ControlJson.Default.AdmittedFound, cancellationToken);

    /// <summary>What is known now of the graph around an agent; nobody is asked for news.</summary>
    /// <param name="rings">How many steps outwards, 1 to 3.</param>
    /// <param name="most">Agents in the first ring, 1 to 40; the ring n has at most n times as many.</param>
    /// <param name="from">How many of those whom the agent vouches for are passed over.</param>
    /// <param name="back">The same of those who vouch for it.</param>
    public Task<TrustGraphInfo> GraphAsync(
        string who, string scope, int rings, int most, int from, int back, CancellationToken cancellationToken) =>
        SendAsync(
            HttpMethod.Get,
            string.Create(
                CultureInfo.InvariantCulture,
                $"/control/trust/graph?who={Escape(who)}&scope={Escape(scope)}&rings={rings}&most={most}")
                + string.Create(CultureInfo.InvariantCulture, $"&from={from}&back={back}"),
            null, ControlJson.Default.TrustGraphInfo, cancellationToken);

    public Task<TrustWhy> WhyAsync(string who, string scope, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"/control/trust/agents/{Escape(who)}?scope={Escape(scope)}", null,
        ControlJson.Default.TrustWhy, cancellationToken);

    /// <summary>As <see cref="WhyAsync"/>, and what the other's side says of this agent.</summary>
    public Task<TrustWhy> SidesAsync(string who, string scope, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"/control/trust/sides?who={Escape(who)}&scope={Escape(scope)}", null,
        ControlJson.Default.TrustWhy, cancellationToken);

    public Task<List<RequestInfo>> RequestsAsync(CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, "/control/trust/requests", null, ControlJson.Default.ListRequestInfo, cancellationToken);

    public Task<TrustResult> AnswerAsync(long id, AnswerRequest request, CancellationToken cancellationToken) =>
        ChangeTrustAsync($"requests/{id}", request, ControlJson.Default.AnswerRequest, cancellationToken);

    public Task DropRequestAsync(long id, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, $"/control/trust/requests/{id}", null, cancellationToken);

    public Task<List<AskedInfo>> AskedAsync(CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, "/control/trust/asked", null, ControlJson.Default.ListAskedInfo, cancellationToken);

    public Task<AskedInfo> AskAsync(AskRequest request, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, "/control/trust/asked", JsonContent.Create(request, ControlJson.Default.AskRequest),
        ControlJson.Default.AskedInfo, cancellationToken);

    public Task<TrustResult> TakeBackAsync(string who, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Delete, $"/control/trust/asked/{Escape(who)}", null, ControlJson.Default.TrustResult,
        cancellationToken);

    public Task<TrustResult> VouchAsync(VouchRequest request, CancellationToken cancellationToken) =>
        ChangeTrustAsync("vouch", request, ControlJson.Default.VouchRequest, cancellationToken);

    public Task<TrustResult> RevokeAsync(RevokeRequest request, CancellationToken cancellationToken) =>
        ChangeTrustAsync("revoke", request, ControlJson.Default.RevokeRequest, cancellationToken);

    public Task<TrustResult> DisownAsync(DisownRequest request, CancellationToken cancellationToken) =>
        ChangeTrustAsync("disown", request, ControlJson.Default.DisownRequest, cancellationToken);

    public Task<TrustResult> WhatIfAsync(WhatIfRequest request, CancellationToken cancellationToken) =>
        ChangeTrustAsync("what-if", request, ControlJson.Default.WhatIfRequest, cancellationToken);

    public Task<TrustResult> SetRootAsync(TrustListRequest request, CancellationToken cancellationToken) =>
        ChangeTrustAsync("roots", request, ControlJson.Default.TrustListRequest, cancellationToken);

    public Task<TrustResult> SetRefusedAsync(TrustListRequest request, CancellationToken cancellationToken) =>
        ChangeTrustAsync("refused", request, ControlJson.Default.TrustListRequest, cancellationToken);

    public Task<TrustResult> SetNameAsync(NameRequest request, CancellationToken cancellationToken) =>
        ChangeTrustAsync("names", request, ControlJson.Default.NameRequest, cancellationToken);

    public Task<List<LogInfo>> LogsAsync(CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, "/control/trust/logs", null, ControlJson.Default.ListLogInfo, cancellationToken);

    public Task<List<EvidenceInfo>> EvidenceAsync(CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, "/control/trust/evidence", null, ControlJson.Default.ListEvidenceInfo, cancellationToken);

    /// <summary>With the proof itself.</summary>
    public Task<EvidenceInfo> EvidenceAsync(string number, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"/control/trust/evidence/{Escape(number)}", null, ControlJson.Default.EvidenceInfo,
        cancellationToken);

    /// <param name="proof">Base64.</param>
    public Task<EvidenceInfo> TakeEvidenceAsync(string proof, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, "/control/trust/evidence",
        JsonContent.Create(new EvidenceBytes(proof), ControlJson.Default.EvidenceBytes),
        ControlJson.Default.EvidenceInfo, cancellationToken);

    private Task<TrustResult> ChangeTrustAsync<T>(
        string what, T request, JsonTypeInfo<T> type, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/trust/{what}", JsonContent.Create(request, type), ControlJson.Default.TrustResult,
        cancellationToken);
}
