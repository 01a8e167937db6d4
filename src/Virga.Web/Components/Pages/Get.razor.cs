using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Forms;
using Microsoft.JSInterop;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Web.Live;

namespace Virga.Web.Components.Pages;

/// <summary>Looks into a link, lets choose from what is in it, plans, and begins.</summary>
public sealed partial class Get
{
    private const int TorrentBytesMax = 16 << 20;

    /// <summary>Who ticks several files is asked for one plan.</summary>
    private static readonly TimeSpan PlanAfter = TimeSpan.FromMilliseconds(300);

    private readonly CancellationTokenSource leaving = new();
    private List<AccountInfo>? accounts;
    private VirgaException? problem, failure;
    private ContentsInfo? contents;
    private ContentTree? tree;
    private PlanInfo? plan;
    private CancellationTokenSource? looking;
    private byte[]? torrent;
    private string link = "", account = "", path = "", prefer = "balanced", collision = "fail", torrentName = "";
    private string? linkError, accountError, choiceError, step;
    private bool isBusy, isPlanning;
    private int plans;

    [SupplyParameterFromQuery(Name = "link")]
    private string? FromLink { get; set; }

    [Inject]
    private TimeProvider Time { get; set; } = null!;

    private string Text => link.Trim();

    private bool IsMagnet => Text.StartsWith("magnet:", StringComparison.OrdinalIgnoreCase);

    /// <summary>Torrents are not planned: there is one way to bring them over.</summary>
    private bool IsShare => torrent is null && !IsMagnet;

    public void Dispose()
    {
        leaving.Cancel();
        leaving.Dispose();
    }

    protected override async Task OnInitializedAsync()
    {
        link = FromLink ?? "";
        try
        {
            accounts = await Agent.AccountsAsync(leaving.Token);
            if (accounts.Count == 1) account = accounts[0].Name;
        }
        catch (VirgaException e)
        {
            problem = e;
        }
    }

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!firstRender) return;
        // A share page brings its link in the address, behind the #, which no server is sent.
        if (await Script.InvokeAsync<string?>("virga.takeLink", leaving.Token) is not { Length: > 0 } brought) return;
        link = brought;
        StateHasChanged();
    }

    /// <summary>What was found belongs to another link.</summary>
    private void Changed()
    {
        StopLooking();
        (tree, contents, plan, failure, linkError, choiceError) = (null, null, null, null, null, null);
        plans++;
    }

    private async Task ReadTorrentAsync(InputFileChangeEventArgs e)
    {
        Changed();
        try
        {
            await using var file = e.File.OpenReadStream(TorrentBytesMax, leaving.Token);
            using var read = new MemoryStream();
            await file.CopyToAsync(read, leaving.Token);
            (torrent, torrentName) = (read.ToArray(), e.File.Name);
            await LookAsync();
        }
        catch (IOException)
        {
            linkError = T["get.torrent.large"];
        }
    }

    private void DropTorrent()
    {
        Changed();
        torrent = null;
    }

    private void StopLooking()
    {
        looking?.Cancel();
        (looking, step) = (null, null);
    }

    private async Task LookAsync()
    {
        linkError = torrent is not null ? null
            : Text.Length == 0 ? T["get.link.missing"]
            : IsMagnet || Text.StartsWith("virga:", StringComparison.OrdinalIgnoreCase) ? null : T["get.link.bad"];
        if (linkError is not null || looking is not null || isBusy) return;
        Changed();
        var request = torrent is not null ? new ContentsRequest(null, null, torrent)
            : IsMagnet ? new ContentsRequest(null, Text) : new ContentsRequest(Text);
        using var stop = looking = CancellationTokenSource.CreateLinkedTokenSource(leaving.Token);
        StateHasChanged();
        try
        {
            await foreach (var line in Agent.ContentsAsync(request, stop.Token))
            {
                if (line.Error is { } error) throw ControlClient.ToException(error);
                step = line.Step;
                StateHasChanged();
                if (line.Result is not { } found) continue;
                var made = await Task.Run(() => ContentTree.Of(found), stop.Token);
                (contents, tree) = (found, made);
            }
        }
        catch (VirgaException e)
        {
            failure = e;
        }
        catch (OperationCanceledException)
        {
            return;
        }
        finally
        {
            if (looking == stop) (looking, step) = (null, null);
        }
        if (tree is not null) await PlanSoonAsync();
    }

    private Task ChangeAsync(Action change)
    {
        change();
        accountError = null;
        return PlanSoonAsync();
    }

    /// <summary>Plans for what is chosen now, unless it changes again meanwhile.</summary>
    private async Task PlanSoonAsync()
    {
        var mine = ++plans;
        choiceError = null;
        if (tree is null || !IsShare || account.Length == 0) return;
        if (tree.ChosenFiles == 0 && tree.Files > 0)
        {
            plan = null;
            return;
        }
        isPlanning = true;
        try
        {
            if (plan is not null) await Task.Delay(PlanAfter, Time, leaving.Token);
            if (mine != plans) return;
            var made = await Agent.PlanAsync(
                new PlanRequest(Text, account, path, prefer, Only: tree.Only), leaving.Token);
            if (mine == plans) (plan, failure) = (made, null);
        }
        catch (VirgaException e)
        {
            if (mine == plans) (plan, failure) = (null, e);
        }
        catch (OperationCanceledException)
        {
            // The page was left.
        }
        finally
        {
            if (mine == plans) isPlanning = false;
        }
    }

    private async Task GoAsync()
    {
        accountError = account.Length == 0 ? T["place.missing"] : null;
        choiceError = tree is { ChosenFiles: 0, Files: > 0 } ? T["choose.missing"] : null;
        if (accountError is not null || choiceError is not null || isBusy) return;
        isBusy = true;
        try
        {
            if (IsShare)
            {
                await Agent.StartTransferAsync(
                    new TransferRequest(Text, account, path, collision, Prefer: prefer, Only: tree!.Only),
                    leaving.Token);
            }
            else
            {
                await Agent.StartTorrentAsync(
                    new TorrentRequest(
                        torrent is null ? Text : null, torrent, account, path, collision, Only: tree!.Only),
                    leaving.Token);
            }
            await Feed.RefreshAsync(leaving.Token);
            Navigation.NavigateTo("/transfers");
        }
        catch (VirgaException e)
        {
            (failure, plan) = (e, null);
        }
        finally
        {
            isBusy = false;
        }
    }
}
