using Virga.Agent.Control;

namespace Virga.Web.Live;

/// <summary>
/// Where everybody stands in the picture of the graph of vouches: the one in the middle at (0, 0), who vouches for it
/// above, with the chain going up from there; whom it vouches for below, or all around where nobody stands above.
/// </summary>
internal sealed class GraphPicture
{
    private const double NearRadius = 132;
    private const double FarRadius = 186;
    private const double ChainStep = 96;
    private const double AboveDegrees = 104;
    private const double BelowDegrees = 232;
    private const double LabelRoom = 46;
    private static readonly double[] ringRadii = [0, FarRadius, 268, 338];

    private readonly List<GraphSpot> spots = [];
    private readonly Dictionary<string, GraphSpot> byAgent = [];

    public GraphPicture(TrustGraphInfo graph, int rings)
    {
        Add(new GraphSpot(graph.Agents[0], 0, 0, 30));
        var above = PlaceAbove(graph);
        MoreAbove = graph.Vouchers - graph.VouchersEnd;
        MoreBelow = graph.Vouched - graph.VouchedEnd;
        if (MoreAbove > 0) MoreAboveAt = At(above.Count == 0 ? -90 : -90 + (AboveDegrees / 2) + 20, FarRadius);
        var below = graph.Agents.Where(a => a.Ring == 1).ToList();
        PlaceBelow(graph, below, isAround: above.Count == 0 && MoreAbove == 0);
        var half = ringRadii[Math.Min(rings, ringRadii.Length - 1)] + LabelRoom;
        var top = Math.Max(half, spots.Max(s => -s.Y) + LabelRoom);
        (Left, Top, Width, Height) = (-half, -top, half * 2, top + half);
        Lines = [.. LinesOf(graph)];
    }

    public double Left { get; }

    public double Top { get; }

    public double Width { get; }

    public double Height { get; }

    /// <summary>The one in the middle first, then as the graph names them.</summary>
    public IReadOnlyList<GraphSpot> Spots => spots;

    public IReadOnlyList<GraphLine> Lines { get; }

    /// <summary>How many more vouch for the one in the middle.</summary>
    public int MoreAbove { get; }

    /// <summary>For how many more that one vouches.</summary>
    public int MoreBelow { get; }

    public (double X, double Y) MoreAboveAt { get; private set; }

    public (double X, double Y) MoreBelowAt { get; private set; }

    private void Add(GraphSpot spot)
    {
        spots.Add(spot);
        byAgent[spot.Agent.Agent] = spot;
    }

    private List<TrustGraphAgent> PlaceAbove(TrustGraphInfo graph)
    {
        var above = graph.Agents.Where(a => a.Ring < 0).ToList();
        var next = above.Where(a => a.Ring == -1).ToList();
        for (var i = 0; i < next.Count; i++)
        {
            // The chain goes straight up; others stand to its right and left by turns, the odd ones further out.
            var side = i % 2 == 1 ? (i + 1) / 2 : -i / 2;
            var (x, y) = At(-90 + (side * AboveDegrees / 6), i % 2 == 0 && i > 0 ? FarRadius : NearRadius + 16);
            Add(new GraphSpot(next[i], x, y, 20));
        }
        foreach (var link in above.Where(a => a.Ring < -1))
            Add(new GraphSpot(link, 0, -NearRadius - 16 + ((link.Ring + 1) * ChainStep), 20));
        return above;
    }

    private void PlaceBelow(TrustGraphInfo graph, List<TrustGraphAgent> below, bool isAround)
    {
        var rings = graph.Agents.ToDictionary(a => a.Agent, a => a.Ring);
        var children = new Dictionary<string, List<TrustGraphAgent>>();
        foreach (var agent in graph.Agents.Where(a => a.Ring > 1))
        {
            var parent = graph.Vouches.FirstOrDefault(
                v => v.Subject == agent.Agent && rings[v.Issuer] == agent.Ring - 1);
            if (parent is null) continue;
            if (!children.TryGetValue(parent.Issuer, out var list)) children[parent.Issuer] = list = [];
            list.Add(agent);
        }
        var weights = below.ConvertAll(Weight);
        var room = weights.Sum() + (MoreBelow > 0 ? 1.5 : 0);
        var degrees = isAround ? 360 : BelowDegrees;
        var at = isAround ? -90.0 : 90 + (BelowDegrees / 2);
        var turn = isAround ? 1 : -1;
        if (isAround) at -= weights.Count > 0 ? weights[0] / room * degrees / 2 : 0;
        for (var i = 0; i < below.Count; i++)
        {
            var sector = weights[i] / room * degrees;
            var isFar = i % 2 == 1 && below.Count > 4;
            PlaceBranch(below[i], at + (turn * sector / 2), sector, isFar ? FarRadius : NearRadius);
            at += turn * sector;
        }
        if (MoreBelow > 0) MoreBelowAt = At(at + (turn * 0.75 / room * degrees), below.Count > 4 ? 160 : NearRadius);

        double Weight(TrustGraphAgent agent) => 1.5 + (0.25 * Leaves(agent));

        int Leaves(TrustGraphAgent agent) =>
            children.TryGetValue(agent.Agent, out var list) ? Math.Max(list.Count, list.Sum(Leaves)) : 0;

        void PlaceBranch(TrustGraphAgent agent, double angle, double sector, double radius)
        {
            var (x, y) = At(angle, radius);
            Add(new GraphSpot(agent, x, y, agent.Ring switch { 1 => 20, 2 => 8, _ => 5 }));
            if (!children.TryGetValue(agent.Agent, out var list)) return;
            var part = sector * 0.92 / list.Count;
            for (var i = 0; i < list.Count; i++)
            {
                PlaceBranch(
                    list[i], angle - (sector * 0.46) + (part * (i + 0.5)), part,
                    ringRadii[Math.Min(list[i].Ring, ringRadii.Length - 1)] + (i % 2 == 0 ? -10 : 10));
            }
        }
    }

    private IEnumerable<GraphLine> LinesOf(TrustGraphInfo graph)
    {
        var chain = graph.Center.Chain.Select(link => (link.Issuer, link.Subject)).ToHashSet();
        var both = graph.Vouches.Select(v => (v.Issuer, v.Subject)).ToHashSet();
        foreach (var vouch in graph.Vouches)
        {
            if (!byAgent.TryGetValue(vouch.Issuer, out var from) || !byAgent.TryGetValue(vouch.Subject, out var to))
                continue;
            // Far from the middle only what leads outwards: a net of all would be a grey disc.
            var isOutwards = to.Agent.Ring == from.Agent.Ring + 1;
            if ((from.Agent.Ring > 1 || to.Agent.Ring > 1) && !isOutwards) continue;
            var isBoth = both.Contains((vouch.Subject, vouch.Issuer));
            var isChain = chain.Contains((vouch.Issuer, vouch.Subject));
            var isTwin = isBoth && chain.Contains((vouch.Subject, vouch.Issuer));
            // Of two that vouch for each other one line is drawn, with two points.
            if (isBoth && !isChain && (isTwin || string.CompareOrdinal(vouch.Issuer, vouch.Subject) > 0)) continue;
            var (dx, dy) = (to.X - from.X, to.Y - from.Y);
            var length = Math.Max(1, Math.Sqrt((dx * dx) + (dy * dy)));
            var (ux, uy) = (dx / length, dy / length);
            var (start, end) = (from.Radius + 3, to.Radius + 5);
            yield return new GraphLine(
                from.X + (ux * start), from.Y + (uy * start), to.X - (ux * end), to.Y - (uy * end), from.Agent,
                to.Agent, isChain, isBoth, vouch.Fault);
        }
    }

    private static (double X, double Y) At(double degrees, double radius)
    {
        var (sin, cos) = Math.SinCos(degrees * Math.PI / 180);
        return (cos * radius, sin * radius);
    }
}

/// <summary>An agent in the picture.</summary>
public sealed record GraphSpot(TrustGraphAgent Agent, double X, double Y, double Radius);

/// <summary>A vouch in the picture, from circle to circle.</summary>
/// <param name="IsBoth">The other way, too.</param>
/// <param name="Fault">None when it counts.</param>
public sealed record GraphLine(
    double X1, double Y1, double X2, double Y2, TrustGraphAgent Issuer, TrustGraphAgent Subject, bool IsChain,
    bool IsBoth, string Fault);
