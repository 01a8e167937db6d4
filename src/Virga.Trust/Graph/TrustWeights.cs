using Virga.Core;

namespace Virga.Trust.Graph;

/// <summary>
/// Shares of one weight, for decisions where numbers matter (spec/v1/trust.md). Weight flows from the roots along
/// vouches that count, only from higher to lower labels: an agent keeps half of what it gets and passes the other half,
/// in equal parts, to those that it vouches for. So whatever stands behind one vouch has together no more than what
/// that vouch carries, however many they are. Whole numbers: the same on every machine, in whatever order vouches came.
/// </summary>
internal static class TrustWeights
{
    /// <summary>What all roots give out together.</summary>
    public const ulong Whole = 1UL << 62;

    /// <summary>By agent, what it keeps; roots keep nothing.</summary>
    public static ulong[] Compute(TrustView view)
    {
        var weights = new ulong[view.Labels.Length];
        var roots = view.Roots.Where(root => view.LabelOf(root) > 0).ToList();
        foreach (var root in roots) weights[root] = Whole / (ulong)roots.Count;
        for (var label = view.RootLabel; label > 0; label--)
        {
            for (var at = 0; at < weights.Length; at++)
            {
                var found = view.Labels[at..].IndexOf((byte)label);
                if (found < 0) break;
                at += found;
                if (label == view.RootLabel) PassOn(view, at, weights[at], weights);
                else PassOn(view, at, weights[at] / 2, weights);
                weights[at] = label == view.RootLabel ? 0 : weights[at] - (weights[at] / 2);
            }
        }
        return weights;
    }

    private static void PassOn(TrustView view, int agent, ulong weight, ulong[] weights)
    {
        if (weight == 0) return;
        var count = view.CountLower(agent);
        if (count > 0) view.AddToLower(agent, weight / (ulong)count, weights);
    }
}
