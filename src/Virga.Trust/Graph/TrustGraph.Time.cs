using System.Numerics;

namespace Virga.Trust.Graph;

/// <summary>Vouches that start and end.</summary>
internal sealed partial class TrustGraph
{
    /// <summary>-1: to be looked for; <see cref="int.MaxValue"/>: nothing is ahead.</summary>
    private int nextChange = -1;

    /// <summary>The next hour at which a vouch starts or ends; null when none does.</summary>
    public int? NextChange
    {
        get
        {
            if (nextChange <= Hour) nextChange = FindNextChange();
            return nextChange == int.MaxValue ? null : nextChange;
        }
    }

    /// <summary>Moves to an hour; one that is past already changes nothing.</summary>
    public void Advance(int hour, GraphChange change)
    {
        if (hour <= Hour) return;
        var (before, beforeInBase) = (Hour, (ushort)Math.Clamp(Hour - baseHour, 0, ushort.MaxValue));
        var isDue = NextChange is { } next && next <= hour;
        Hour = hour;
        if (!isDue) return;
        CollectEnded(beforeInBase, BaseNow, change);
        for (var e = 0; e < delta.Count; e++)
        {
            var (start, end) = (delta.Start(e), delta.End(e));
            var isTouched = (start > before && start <= hour) || (end > before && end <= hour);
            if (isTouched && EdgeWord.Scopes(delta.Word(e)) != 0) change.Subjects.Add(EdgeWord.Target(delta.Word(e)));
        }
    }

    private void CollectEnded(ushort after, ushort until, GraphChange change)
    {
        if (until <= after) return;
        var (first, span) = ((ushort)(after + 1), (ushort)(until - after - 1));
        var at = 0;
        var all = ends.AsSpan();
        var (firsts, spans) = (new Vector<ushort>(first), new Vector<ushort>(span));
        for (; at <= all.Length - Vector<ushort>.Count; at += Vector<ushort>.Count)
        {
            if (!Vector.LessThanOrEqualAny(new Vector<ushort>(all[at..]) - firsts, spans)) continue;
            for (var e = at; e < at + Vector<ushort>.Count; e++) CollectEnded(e, first, span, change);
        }
        for (; at < all.Length; at++) CollectEnded(at, first, span, change);
    }

    private void CollectEnded(int edge, ushort first, ushort span, GraphChange change)
    {
        if ((ushort)(ends[edge] - first) <= span && EdgeWord.Scopes(words[edge]) != 0)
            change.Subjects.Add(EdgeWord.Target(words[edge]));
    }

    private int FindNextChange()
    {
        // Unsigned, what has ended lies behind everything that is ahead.
        var origin = (ushort)(BaseNow + 1);
        var (at, least) = (0, ushort.MaxValue);
        var all = ends.AsSpan();
        var (origins, leasts) = (new Vector<ushort>(origin), new Vector<ushort>(ushort.MaxValue));
        for (; at <= all.Length - Vector<ushort>.Count; at += Vector<ushort>.Count)
            leasts = Vector.Min(leasts, new Vector<ushort>(all[at..]) - origins);
        for (var i = 0; i < Vector<ushort>.Count; i++) least = Math.Min(least, leasts[i]);
        for (; at < all.Length; at++) least = Math.Min(least, (ushort)(all[at] - origin));
        var next = least > ushort.MaxValue - origin ? int.MaxValue : baseHour + origin + least;
        for (var e = 0; e < delta.Count; e++)
        {
            if (EdgeWord.Scopes(delta.Word(e)) == 0) continue;
            if (delta.Start(e) > Hour) next = Math.Min(next, delta.Start(e));
            else if (delta.End(e) > Hour) next = Math.Min(next, delta.End(e));
        }
        return next;
    }
}
