using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using Virga.Accounts;
using Virga.Cli;
using Virga.Core;
using Virga.Testing.Conformance;
using Xunit;
using Xunit.Sdk;

namespace Virga.Live;

/// <summary>Runs the conformance suite against an account, one test after the other, and says how each ended.</summary>
internal static class LiveRun
{
    /// <returns>An exit code of the command line's: 0 when every test passed and nothing is left behind.</returns>
    public static async Task<int> RunAsync(
        string[] arguments, IReadOnlyDictionary<string, string> environment, TextWriter output, TextWriter errors,
        CancellationToken cancellationToken)
    {
        LiveAccount? account = null;
        try
        {
            var options = LiveOptions.Parse(arguments, environment);
            account = await LiveAccount.FindAsync(options, environment);
            await using (var tried = await account.OpenAsync())
                await foreach (var _ in tried.ListAsync(EntryPath.Root, cancellationToken)) break;
            return await RunAsync(account, options, output, cancellationToken);
        }
        catch (VirgaException e)
        {
            IEnumerable<string> lines = [e.Message, .. e.Advice?.Split('\n') ?? []];
            if (account is not null && e.Kind is FailureKind.BadInput or FailureKind.Unauthenticated
                or FailureKind.Denied) lines = lines.Concat(account.Help());
            await errors.WriteLineAsync("live: " + string.Join("\n      ", lines));
            return ExitCode.Of(e.Kind);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }
        finally
        {
            if (account is not null) await account.DisposeAsync();
        }
    }

    private static async Task<int> RunAsync(
        LiveAccount account, LiveOptions options, TextWriter output, CancellationToken cancellationToken)
    {
        var tests = Tests().Where(t => options.Only is not { } only
            || t.Name.Contains(only, StringComparison.OrdinalIgnoreCase)).ToList();
        if (tests.Count == 0)
        {
            throw new VirgaException(FailureKind.NotFound, $"no test's name holds '{options.Only}'");
        }
        var scratch = "virga-live-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        await output.WriteLineAsync($"{account.Address}, in a folder of its own: {scratch}");
        var (passed, failed) = (0, 0);
        var isLeft = false;
        try
        {
            foreach (var test in tests)
            {
                if (cancellationToken.IsCancellationRequested) break;
                var folder = $"{scratch}/{(passed + failed).ToString(CultureInfo.InvariantCulture)}";
                var began = Stopwatch.GetTimestamp();
                var failure = await TryAsync(new LiveConformance(account, folder, options.Entries), test);
                var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
                _ = failure is null ? passed++ : failed++;
                await output.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{(failure is null ? "ok    " : "FAILED")} {test.Name} ({seconds:F1} s)"));
                if (failure is not null) await output.WriteLineAsync("       " + failure);
            }
        }
        finally
        {
            isLeft = !await RemoveAsync(account, scratch, output);
        }
        await output.WriteLineAsync(
            $"{passed} passed, {failed} failed" + (isLeft ? "" : "; nothing is left behind"));
        if (cancellationToken.IsCancellationRequested) return ExitCode.Interrupted;
        return failed > 0 || isLeft ? ExitCode.Failed : ExitCode.Ok;
    }

    private static async Task<string?> TryAsync(LiveConformance suite, Test test)
    {
        try
        {
            try
            {
                await suite.InitializeAsync();
                await test.RunAsync(suite);
            }
            finally
            {
                await suite.DisposeAsync();
            }
            return null;
        }
        catch (VirgaException e)
        {
            return $"{e.Kind}: {e.Message}" + (e.Advice is { } advice ? $" ({advice})" : "");
        }
        catch (XunitException e)
        {
            return e.Message.ReplaceLineEndings("\n       ");
        }
    }

    private static async Task<bool> RemoveAsync(LiveAccount account, string scratch, TextWriter output)
    {
        try
        {
            await LiveConformance.RemoveAsync(account, scratch);
            return true;
        }
        catch (VirgaException e)
        {
            await output.WriteLineAsync($"the folder {scratch} could not be removed, delete it yourself: {e.Message}");
            return false;
        }
    }

    /// <summary>The facts, and each row of each theory.</summary>
    private static IEnumerable<Test> Tests() =>
        from method in typeof(AccountConformance).GetMethods().OrderBy(m => m.Name, StringComparer.Ordinal)
        where method.GetCustomAttribute<FactAttribute>() is not null
        from row in method.GetCustomAttribute<TheoryAttribute>() is null
            ? [[]]
            : method.GetCustomAttributes<DataAttribute>().SelectMany(data => data.GetData(method))
        select new Test(method, row);

    private sealed record Test(MethodInfo Method, object?[] Arguments)
    {
        public string Name { get; } = Arguments.Length == 0
            ? Method.Name
            : $"{Method.Name}: {NameRules.Show(string.Join(", ", Arguments))}";

        public Task RunAsync(AccountConformance suite) =>
            Method.Invoke(suite, BindingFlags.DoNotWrapExceptions, null, Arguments, null) as Task ?? Task.CompletedTask;
    }
}
