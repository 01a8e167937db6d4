using System.CommandLine;
using Virga.Cli.Terminals;
using Virga.Core;
using Virga.Trust;

namespace Virga.Cli.Trust;

/// <summary>Arguments and options that the commands about trust share.</summary>
internal static class TrustArguments
{
    public const string DefaultScope = "exchange";
    private const int DepthMax = 7;
    private const int DaysMax = 1830;
    private const int DaysUsual = 365;

    public static Argument<string> Who(GlobalOptions options, string description = "whom")
    {
        var argument = new Argument<string>("WHO")
        {
            Description = description + ": an address or AgentId as `virga id` prints it there, or your name for it",
        };
        argument.CompletionSources.Add(context => Completions.Agents(options, context));
        return argument;
    }

    public static Option<string?> WhoOption(GlobalOptions options, string name, string description)
    {
        var option = new Option<string?>(name) { HelpName = "WHO", Description = description };
        option.CompletionSources.Add(context => Completions.Agents(options, context));
        return option;
    }

    /// <summary>One scope that is asked about.</summary>
    public static Option<string> Scope()
    {
        var option = new Option<string>("--scope")
        {
            HelpName = "SCOPE",
            Description = $"for what: {string.Join(", ", TrustScopeNames.All)} (default: {DefaultScope})",
            DefaultValueFactory = _ => DefaultScope,
        };
        option.CompletionSources.Add([.. TrustScopeNames.All]);
        return option;
    }

    /// <summary>Several scopes that something is done for.</summary>
    public static Option<string[]> Scopes(string whenNone)
    {
        var option = new Option<string[]>("--scope")
        {
            HelpName = "SCOPE",
            Description = $"for what: {string.Join(", ", TrustScopeNames.All)}; may be repeated, or be several with "
                + $"commas between (default: {whenNone})",
        };
        option.CompletionSources.Add([.. TrustScopeNames.All]);
        return option;
    }

    public static Option<int> Depth(string description) => new("--depth")
    {
        HelpName = "N", Description = description + ", 0 to 7 (default: 0, to nobody)",
    };

    public static Option<int> Days(string description = "for how many days") => new("--days")
    {
        HelpName = "N",
        Description = description + ", 1 to 1,830 (default: 365)",
        DefaultValueFactory = _ => DaysUsual,
    };

    public static int DepthOf(Invocation run, Option<int> depth) =>
        Within(run.Parsed.GetValue(depth), 0, DepthMax, "the depth");

    public static int DaysOf(Invocation run, Option<int> days) =>
        Within(run.Parsed.GetValue(days), 1, DaysMax, "the number of days");

    public static Option<string?> Name() => new("--name")
    {
        HelpName = "NAME", Description = "what you call it from now on; known to your agent alone",
    };

    public static Option<int?> From() => new("--from")
    {
        HelpName = "N",
        Description = "the number of the first statement that is not vouched for, at least 1; "
            + "`virga trust why` shows numbers as #N",
    };

    public static string ScopeOf(Invocation run, Option<string> option) => Checked(run.Parsed.GetRequiredValue(option));

    /// <summary>Ascending, without repetition, as statements list them.</summary>
    public static IReadOnlyList<string> ScopesOf(Invocation run, Option<string[]> option) =>
    [
        .. (run.Parsed.GetValue(option) ?? []).SelectMany(s => s.Split(',')).Select(Checked)
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
    ];

    public static int Within(int value, int least, int most, string what) =>
        value >= least && value <= most ? value : throw new VirgaException(
            FailureKind.BadInput, $"{what} can't be {value}", $"Give a number from {least:#,0} to {most:#,0}.");

    private static string Checked(string scope) => TrustScopeNames.TryParse(scope, out _) ? scope
        : throw new VirgaException(
            FailureKind.BadInput, $"there is no scope '{Display.Fit(scope, 30)}'",
            $"The scopes are {string.Join(", ", TrustScopeNames.All)}.");
}
