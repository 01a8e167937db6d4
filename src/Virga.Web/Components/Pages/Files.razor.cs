using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;
using Virga.Agent.Control;
using Virga.Core;
using Virga.Web.Live;
using Virga.Web.Texts;

namespace Virga.Web.Components.Pages;

/// <summary>What lies in an account, folder by folder.</summary>
public sealed partial class Files
{
    private readonly CancellationTokenSource leaving = new();
    private ElementReference picker;
    private List<AccountInfo>? accounts;
    private FolderView? folder;
    private List<EntryInfo>? shown;
    private VirgaException? problem;
    private EntryOrder order;
    private bool isDescending, isBusy;
    private string search = "", name = "";
    private string moveTo = "";
    private string? error, loaded;
    private Asking asking;
    private EntryInfo? asked;
    private DateTimeOffset now;

    private enum Asking { Nothing, Actions, NewFolder, Rename, Move, Delete, Preview }

    /// <summary>Null for the list of accounts.</summary>
    [Parameter]
    public string? Account { get; set; }

    [Parameter]
    public string Path { get; set; } = "";

    public async ValueTask DisposeAsync()
    {
        News.Came -= OnCame;
        await leaving.CancelAsync();
        leaving.Dispose();
    }

    protected override void OnInitialized() => News.Came += OnCame;

    protected override async Task OnParametersSetAsync()
    {
        Path ??= "";
        now = Time.GetUtcNow();
        var here = $"{Account}:{Path}";
        if (loaded == here) return;
        loaded = here;
        (folder, shown, search, asking, isDescending, order) =
            (null, null, "", Asking.Nothing, false, EntryOrder.Name);
        await LoadAsync();
    }

    private void OnCame(string account, string folder)
    {
        if (account == Account && (folder == Path || folder.StartsWith(Path + "/", StringComparison.Ordinal)
            || Path.Length == 0)) _ = InvokeAsync(ReloadAsync);
    }

    private async Task ReloadAsync()
    {
        await LoadAsync();
        StateHasChanged();
    }

    private async Task LoadAsync()
    {
        try
        {
            problem = null;
            now = Time.GetUtcNow();
            if (Account is null)
            {
                accounts = await Agent.AccountsAsync(leaving.Token);
                return;
            }
            var (account, path) = (Account, Path);
            var entries = await Agent.EntriesAsync(account, path, leaving.Token);
            var view = await Task.Run(() => FolderView.Of(entries), leaving.Token);
            // Somebody may have gone on to another folder meanwhile.
            if (account != Account || path != Path) return;
            folder = view;
            Arrange();
        }
        catch (VirgaException e)
        {
            problem = e;
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Arrange() => shown = folder?.Show(order, isDescending, search);

    private void OnSearch(ChangeEventArgs e)
    {
        search = e.Value?.ToString()?.Trim() ?? "";
        Arrange();
    }

    private void Sort(EntryOrder by)
    {
        (isDescending, order) = (order == by && !isDescending, by);
        Arrange();
    }

    private string SortOf(EntryOrder by) => order != by ? "none" : isDescending ? "descending" : "ascending";

    private string Arrow(EntryOrder by) => order != by ? "" : isDescending ? "↓" : "↑";

    internal static string IconOf(EntryInfo entry) =>
        entry.Kind == "symlink" ? "link" : Serving.FileEndpoints.KindOf(entry.Path) switch
        {
            "image" => "image", "video" => "video", "audio" => "audio", "text" or "pdf" => "text", _ => "file",
        };

    private static string NameOf(EntryInfo entry) => Shown.Name(Places.NameOf(entry.Path));

    private IEnumerable<(string Name, string Path, bool IsLast)> Crumbs()
    {
        yield return (Account!, "", Path.Length == 0);
        if (Path.Length == 0) yield break;
        var names = Path.Split('/');
        for (var i = 0; i < names.Length; i++)
            yield return (names[i], string.Join('/', names[..(i + 1)]), i == names.Length - 1);
    }

    private void Ask(Asking what, EntryInfo? about)
    {
        (asking, asked, error) = (what, about, null);
        name = what == Asking.Rename && about is not null ? Places.NameOf(about.Path) : "";
        // Until somebody has walked on, and while the folders are still being listed, it stays where it is.
        moveTo = about is null ? "" : Places.ParentOf(about.Path);
    }

    private void Close() => (asking, asked, error) = (Asking.Nothing, null, null);

    private Task MakeFolderAsync() => DoAsync(
        token => Agent.MakeFolderAsync(Account!, Places.Join(Path, name.Trim()), token),
        () => T.With("files.made", Shown.Name(name.Trim())));

    private Task RenameAsync() => DoAsync(
        token => Agent.MoveAsync(
            Account!, asked!.Path, Places.Join(Places.ParentOf(asked.Path), name.Trim()), token),
        () => T.With("files.renamed", Shown.Name(name.Trim())));

    private Task MoveAsync() => DoAsync(
        token => Agent.MoveAsync(
            Account!, asked!.Path, Places.Join(moveTo, Places.NameOf(asked.Path)), token),
        () => T.With("move.done", NameOf(asked!)));

    private Task DeleteAsync() => DoAsync(
        token => Agent.DeleteEntryAsync(Account!, asked!.Path, asked.Kind == "folder", token),
        () => T.With("files.deleted", NameOf(asked!)));

    /// <summary>What goes wrong is said where it was asked for, and nothing that was typed is lost.</summary>
    private async Task DoAsync(Func<CancellationToken, Task> change, Func<string> done)
    {
        error = asking is Asking.NewFolder or Asking.Rename ? WhyNoName(name.Trim()) : null;
        if (error is not null || isBusy) return;
        isBusy = true;
        try
        {
            await change(leaving.Token);
            Toasts.Good(done());
            Close();
            await LoadAsync();
        }
        catch (VirgaException e)
        {
            error = Parts.Problem.Sentence(e.Message);
        }
        finally
        {
            isBusy = false;
        }
    }

    private string? WhyNoName(string text) =>
        text.Length == 0 ? T["files.name.missing"]
        : text.Contains('/') || text is "." or ".." ? T["files.name.bad"]
        : null;
}
