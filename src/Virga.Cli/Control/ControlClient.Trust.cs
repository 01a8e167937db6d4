using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using Virga.Agent.Control;

namespace Virga.Cli.Control;

/// <summary>The routes about trust. WHO is an AgentId, an address or a name that the user gave.</summary>
internal sealed partial class ControlClient
{
    public Task<TrustInfo> TrustAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/control/trust", null, ControlJson.Default.TrustInfo, cancellationToken);

    public Task<List<AdmittedInfo>> AdmittedAsync(string scope, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"/control/trust/agents?scope={Escape(scope)}", null, ControlJson.Default.ListAdmittedInfo,
        cancellationToken);

    public Task<TrustWhy> WhyAsync(string who, string scope, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"/control/trust/agents/{Escape(who)}?scope={Escape(scope)}", null,
        ControlJson.Default.TrustWhy, cancellationToken);

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

    private Task<TrustResult> ChangeTrustAsync<T>(
        string what, T request, JsonTypeInfo<T> type, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, $"/control/trust/{what}", JsonContent.Create(request, type), ControlJson.Default.TrustResult,
        cancellationToken);
}
