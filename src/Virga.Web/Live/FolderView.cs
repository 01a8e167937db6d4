using System.Text;
using Virga.Agent.Control;

namespace Virga.Web.Live;

/// <summary>What a list of entries is sorted by; folders stand before the rest in any of them.</summary>
internal enum EntryOrder
{
    Name,
    Size,
    Time,
}

/// <summary>
/// The entries of one folder in the order and selection that a page shows. Names are compared once, when the folder is
/// opened: a click or a letter later costs numbers alone, so that a hundred thousand entries answer at once.
/// </summary>
internal sealed class FolderView
{
    private readonly EntryInfo[] entries;
    private readonly int folders;
    private readonly int[]?[] orders = new int[3][];
    private readonly bool[] isFound;
    private string search = "";

    private FolderView(EntryInfo[] entries, int folders)
    {
        this.entries = entries;
        this.folders = folders;
        isFound = new bool[entries.Length];
        Array.Fill(isFound, true);
    }

    public int Count => entries.Length;

    /// <summary>Takes the time of sorting by names: not for a page's own thread.</summary>
    public static FolderView Of(IEnumerable<EntryInfo> listed)
    {
        var entries = listed.ToArray();
        var key = new StringBuilder();
        var keys = Array.ConvertAll(entries, e =>
        {
            key.Clear().Append(e.Kind == "folder" ? '0' : '1');
            NaturalOrder.AppendKey(key, NameOf(e));
            return key.ToString();
        });
        Array.Sort(keys, entries, StringComparer.Ordinal);
        return new FolderView(entries, entries.Count(e => e.Kind == "folder"));
    }

    /// <param name="text">What a name must hold, in any case; empty for all.</param>
    public List<EntryInfo> Show(EntryOrder order, bool isDescending, string text)
    {
        Find(text);
        var ranks = Ranks(order);
        var shown = new List<EntryInfo>(text.Length == 0 ? entries.Length : 0);
        Add(0, folders);
        Add(folders, entries.Length);
        return shown;

        void Add(int first, int past)
        {
            for (var i = first; i < past; i++)
            {
                var rank = ranks[isDescending ? first + past - 1 - i : i];
                if (isFound[rank]) shown.Add(entries[rank]);
            }
        }
    }

    private static ReadOnlySpan<char> NameOf(EntryInfo entry) =>
        entry.Path.AsSpan(entry.Path.LastIndexOf('/') + 1);

    /// <summary>One more letter is looked for only where those before it were found.</summary>
    private void Find(string text)
    {
        if (text == search) return;
        var isNarrower = text.Contains(search, StringComparison.OrdinalIgnoreCase);
        search = text;
        for (var i = 0; i < entries.Length; i++)
        {
            isFound[i] = (isFound[i] || !isNarrower)
                && NameOf(entries[i]).Contains(text, StringComparison.OrdinalIgnoreCase);
        }
    }

    /// <summary>Places among the names, in another order; what is alike in it stays in the order of names.</summary>
    private int[] Ranks(EntryOrder order)
    {
        if (orders[(int)order] is { } known) return known;
        var ranks = new int[entries.Length];
        for (var i = 0; i < ranks.Length; i++) ranks[i] = i;
        if (order != EntryOrder.Name)
        {
            var keys = Array.ConvertAll(
                entries, e => order == EntryOrder.Size ? e.Length : e.Modified?.UtcTicks ?? long.MinValue);
            Array.Sort(keys, ranks, 0, folders);
            Array.Sort(keys, ranks, folders, ranks.Length - folders);
            for (var (first, i) = (0, 1); i <= ranks.Length; i++)
            {
                if (i < ranks.Length && i != folders && keys[i] == keys[first]) continue;
                Array.Sort(ranks, first, i - first);
                first = i;
            }
        }
        return orders[(int)order] = ranks;
    }
}
