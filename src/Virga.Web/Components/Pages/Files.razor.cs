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
    /// <summary>What went well goes away by itself.</summary>
    private static readonly TimeSpan ShownFor = TimeSpan.FromSeconds(4);

    private readonly SortedDictionary<long, Upload> uploads = [];
    private readonly CancellationTokenSource leaving = new();
    private ElementReference zone, picker;
    private DotNetObjectReference<Files>? self;
    private List<AccountInfo>? accounts;
    private List<EntryInfo>? all, shown;
    private VirgaException? problem;
    private Order order;
    private bool isDescending, isBusy, isWired;
    private string search = "", name = "";
    private string? error, loaded;
    private Asking asking;
    private EntryInfo? asked;
    private DateTimeOffset now;

    private enum Order { Name, Size, Time }

    private enum Asking { Nothing, Actions, NewFolder, Rename, Delete, Preview }

    /// <summary>Null for the list of accounts.</summary>
    [Parameter]
    public string? Account { get; set; }

    [Parameter]
    public string Path { get; set; } = "";

    [JSInvokable]
    public string Target(string file) =>
        Serving.FileEndpoints.Url(Account ?? "", Places.Join(Path, file));

    [JSInvokable]
    public void Queued(string[][] files)
    {
        if (uploads.Values.All(u => u.IsDone)) uploads.Clear();
        foreach (var file in files)
        {
            var id = long.Parse(file[0], System.Globalization.CultureInfo.InvariantCulture);
            var size = long.Parse(file[2], System.Globalization.CultureInfo.InvariantCulture);
            uploads.TryAdd(id, new Upload(file[1], size));
        }
        StateHasChanged();
    }

    [JSInvokable]
    public void Progress(long id, long done)
    {
        if (uploads.TryGetValue(id, out var upload)) upload.Done = done;
        StateHasChanged();
    }

    [JSInvokable]
    public async Task Ended(long id, string? trouble)
    {
        if (uploads.TryGetValue(id, out var upload))
        {
            upload.IsDone = true;
            if (trouble is not null)
                upload.Problem = trouble.Length == 0 ? T["files.upload.failed"] : Parts.Problem.Sentence(trouble);
        }
        await LoadAsync();
        StateHasChanged();
        if (uploads.Values.All(u => u.IsDone && u.Problem is null)) _ = HideLaterAsync(uploads.Count);
    }

    private async Task HideLaterAsync(int count)
    {
        try
        {
            await Task.Delay(ShownFor, Time, leaving.Token);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        if (uploads.Count != count || !uploads.Values.All(u => u.IsDone && u.Problem is null)) return;
        uploads.Clear();
        StateHasChanged();
    }

    public async ValueTask DisposeAsync()
    {
        await leaving.CancelAsync();
        leaving.Dispose();
        self?.Dispose();
    }

    protected override async Task OnParametersSetAsync()
    {
        Path ??= "";
        now = Time.GetUtcNow();
        var here = $"{Account}:{Path}";
        if (loaded == here) return;
        loaded = here;
        (all, shown, search, asking, isDescending, order) = (null, null, "", Asking.Nothing, false, Order.Name);
        await LoadAsync();
    }

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (Account is null || isWired) return;
        isWired = true;
        self = DotNetObjectReference.Create(this);
        await Script.InvokeVoidAsync("virga.uploads", leaving.Token, zone, self);
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
            // Somebody may have gone on to another folder meanwhile.
            if (account != Account || path != Path) return;
            all = entries;
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

    /// <summary>Sorted once: what is typed into the search only leaves entries out.</summary>
    private void Arrange()
    {
        if (all is null) return;
        var named = all.Select(e => (Entry: e, Name: Places.NameOf(e.Path))).ToArray();
        Array.Sort(named, (x, y) =>
        {
            var byKind = (x.Entry.Kind == "folder" ? 0 : 1) - (y.Entry.Kind == "folder" ? 0 : 1);
            if (byKind != 0) return byKind;
            var by = order switch
            {
                Order.Size => x.Entry.Length.CompareTo(y.Entry.Length),
                Order.Time => Nullable.Compare(x.Entry.Modified, y.Entry.Modified),
                _ => 0,
            };
            if (by == 0) by = NaturalOrder.Instance.Compare(x.Name, y.Name);
            return isDescending ? -by : by;
        });
        all = [.. named.Select(n => n.Entry)];
        Narrow();
    }

    private void Narrow() => shown = search.Length == 0 ? all
        : all?.FindAll(e => e.Path.AsSpan(e.Path.LastIndexOf('/') + 1)
            .Contains(search, StringComparison.OrdinalIgnoreCase));

    private void OnSearch(ChangeEventArgs e)
    {
        search = e.Value?.ToString()?.Trim() ?? "";
        Narrow();
    }

    private void Sort(Order by)
    {
        (isDescending, order) = (order == by && !isDescending, by);
        Arrange();
    }

    private string SortOf(Order by) => order != by ? "none" : isDescending ? "descending" : "ascending";

    private string Arrow(Order by) => order != by ? "" : isDescending ? "↓" : "↑";

    private static string IconOf(EntryInfo entry) =>
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
    }

    private void Close() => (asking, asked, error) = (Asking.Nothing, null, null);

    private Task MakeFolderAsync() => DoAsync(
        token => Agent.MakeFolderAsync(Account!, Places.Join(Path, name.Trim()), token),
        () => T.With("files.made", Shown.Name(name.Trim())));

    private Task RenameAsync() => DoAsync(
        token => Agent.MoveAsync(
            Account!, asked!.Path, Places.Join(Places.ParentOf(asked.Path), name.Trim()), token),
        () => T.With("files.renamed", Shown.Name(name.Trim())));

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

    private sealed class Upload(string name, long size)
    {
        public string Name { get; } = name;

        public long Size { get; } = size;

        public long Done { get; set; }

        public bool IsDone { get; set; }

        public string? Problem { get; set; }
    }
}
