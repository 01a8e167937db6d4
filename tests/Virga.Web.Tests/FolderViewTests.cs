using Virga.Agent.Control;
using Virga.Web.Live;

namespace Virga.Web.Tests;

/// <summary>The order and the selection in which a folder is shown.</summary>
public sealed class FolderViewTests
{
    private static readonly DateTimeOffset Begin = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Names_are_sorted_as_people_do()
    {
        string[] names = ["b", "a10", "A9", "a2b", "a02", "a2", "file-100", "file-99", "00", "0"];
        Assert.Equal(
            ["0", "00", "a02", "a2", "a2b", "A9", "a10", "b", "file-99", "file-100"],
            Names(View(names.Select(n => File(n))).Show(EntryOrder.Name, false, "")));
    }

    [Fact]
    public void Folders_stand_first_in_any_order_and_what_is_alike_stays_in_the_order_of_names()
    {
        var view = View(
        [
            File("c", 5, 1), File("b", 7, 3), File("a", 5, 2), Folder("z", 9), Folder("y", 8), File("none", 5, null),
        ]);
        Assert.Equal(["y", "z", "a", "b", "c", "none"], Names(view.Show(EntryOrder.Name, false, "")));
        Assert.Equal(["z", "y", "none", "c", "b", "a"], Names(view.Show(EntryOrder.Name, true, "")));
        Assert.Equal(["y", "z", "a", "c", "none", "b"], Names(view.Show(EntryOrder.Size, false, "")));
        Assert.Equal(["z", "y", "b", "none", "c", "a"], Names(view.Show(EntryOrder.Size, true, "")));
        Assert.Equal(["y", "z", "none", "c", "a", "b"], Names(view.Show(EntryOrder.Time, false, "")));
        Assert.Equal(6, view.Count);
    }

    [Fact]
    public void Every_order_and_search_is_what_sorting_and_looking_anew_would_give()
    {
        var random = new Random(7);
        var entries = Enumerable.Range(0, 500).Select(i => random.Next(5) == 0
            ? Folder($"Album {random.Next(40)}-{i}", random.Next(9))
            : File($"img{random.Next(60):00}_{i}.JPG", random.Next(6), random.Next(6))).ToList();
        var view = View(entries);
        var byName = Names(view.Show(EntryOrder.Name, false, "")).ToList();
        var byPath = entries.ToDictionary(e => Path.GetFileName(e.Path));
        foreach (var search in new[] { "", "1", "12", "12_", "", "JPG", "jpg", "al", "ALBUM 3", "nowhere", "m" })
        {
            foreach (var order in Enum.GetValues<EntryOrder>())
            {
                var expected = byName.Where(n => n.Contains(search, StringComparison.OrdinalIgnoreCase))
                    .OrderBy(n => byPath[n].Kind == "folder" ? 0 : 1)
                    .ThenBy(n => order switch
                    {
                        EntryOrder.Size => byPath[n].Length,
                        EntryOrder.Time => byPath[n].Modified!.Value.UtcTicks,
                        _ => 0,
                    })
                    .ThenBy(n => byName.IndexOf(n)).ToList();
                Assert.Equal(expected, Names(view.Show(order, false, search)));
                var folders = expected.Count(n => byPath[n].Kind == "folder");
                Assert.Equal(
                    expected[..folders].AsEnumerable().Reverse().Concat(expected[folders..].AsEnumerable().Reverse()),
                    Names(view.Show(order, true, search)));
            }
        }
    }

    [Fact]
    public void An_empty_folder_shows_nothing()
    {
        var view = View([]);
        Assert.Empty(view.Show(EntryOrder.Size, true, "x"));
        Assert.Empty(view.Show(EntryOrder.Name, false, ""));
    }

    private static FolderView View(IEnumerable<EntryInfo> entries) => FolderView.Of(entries);

    private static EntryInfo File(string name, long length = 1, int? day = 0) =>
        new("in/" + name, "file", length, day is { } days ? Begin.AddDays(days) : null, null);

    private static EntryInfo Folder(string name, int day) => new("in/" + name, "folder", 0, Begin.AddDays(day), null);

    private static IEnumerable<string> Names(List<EntryInfo> entries) =>
        entries.Select(e => e.Path[(e.Path.LastIndexOf('/') + 1)..]);
}
