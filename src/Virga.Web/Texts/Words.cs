using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Virga.Web.Texts;

/// <summary>
/// What the page says, in the visitor's language: <c>Texts/en.json</c> and its like. Numbers and times are written by
/// the rules of that language, which are ours: the process itself knows no cultures.
/// </summary>
public sealed class Words
{
    public const string CookieName = "virga-language";

    private const string English = "en";

    private static readonly FrozenDictionary<string, FrozenDictionary<string, string>> All =
        new[] { English, "nl" }.ToFrozenDictionary(language => language, Load);

    private FrozenDictionary<string, string> texts = All[English];

    /// <summary>The languages that there are, and what they call themselves.</summary>
    public static IReadOnlyList<(string Code, string Name)> Languages { get; } =
        [.. All.Keys.Order().Select(code => (code, All[code]["language"]))];

    public string Language { get; private set; } = English;

    /// <summary>A text by its key; <see cref="KeyNotFoundException"/> where there is none.</summary>
    public string this[string key] => texts[key];

    /// <summary>The text with its places <c>{0}</c>, <c>{1}</c> filled.</summary>
    public string With(string key, params object?[] values) =>
        string.Format(CultureInfo.InvariantCulture, texts[key], values);

    /// <summary>With the key's form for one or for many: <c>files.one</c>, <c>files.many</c>.</summary>
    public string Count(string key, long count) =>
        With(count == 1 ? key + ".one" : key + ".many", Number(count));

    public string? Find(string key) => texts.GetValueOrDefault(key);

    /// <summary>Those of the visitor that asks.</summary>
    internal static Words Of(HttpContext http)
    {
        var words = http.RequestServices.GetRequiredService<Words>();
        words.Choose(http.Request.Cookies[CookieName], http.Request.Headers.AcceptLanguage);
        return words;
    }

    public static bool IsKnown(string language) => All.ContainsKey(language);

    internal static FrozenDictionary<string, string> TextsOf(string language) => All[language];

    /// <summary>By the visitor's choice, else by what the browser asks for.</summary>
    public void Choose(string? chosen, string? accepted)
    {
        if (chosen is not null && All.ContainsKey(chosen))
        {
            Use(chosen);
            return;
        }
        foreach (var part in (accepted ?? "").Split(','))
        {
            var language = part.Split(';', '-')[0].Trim().ToLowerInvariant();
            if (!All.ContainsKey(language)) continue;
            Use(language);
            return;
        }
    }

    public void Use(string language)
    {
        Language = language;
        texts = All[language];
    }

    public string Number(long number)
    {
        var text = number.ToString("#,0", CultureInfo.InvariantCulture);
        return Language == English ? text : text.Replace(',', '.');
    }

    public string Number(double number, string format)
    {
        var text = number.ToString(format, CultureInfo.InvariantCulture);
        return Language == English ? text : text.Replace('.', ',');
    }

    public string Bytes(long bytes)
    {
        string[] units = ["B", "kB", "MB", "GB", "TB", "PB"];
        var value = (double)bytes;
        var unit = 0;
        while (value >= 999.5 && unit < units.Length - 1) (value, unit) = (value / 1000, unit + 1);
        return $"{Number(value, unit == 0 || value >= 100 ? "0" : value >= 10 ? "0.#" : "0.##")} {units[unit]}";
    }

    public string Rate(double bytesPerSecond) => $"{Bytes((long)bytesPerSecond)}/s";

    public string Span(TimeSpan span) =>
        span.TotalSeconds < 60 ? With("time.s", (int)Math.Ceiling(span.TotalSeconds))
        : span.TotalMinutes < 60 ? With("time.min", (int)span.TotalMinutes)
        : span.TotalHours < 48 ? With("time.h", (int)span.TotalHours)
        : With("time.d", (int)span.TotalDays);

    public string Ago(DateTimeOffset then, DateTimeOffset now)
    {
        var passed = now - then;
        return passed < TimeSpan.FromSeconds(45) ? this["time.now"]
            : passed < TimeSpan.FromDays(30) ? With("time.ago", Span(passed))
            : then.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
    }

    private static FrozenDictionary<string, string> Load(string language)
    {
        using var stream = typeof(Words).Assembly.GetManifestResourceStream($"texts/{language}.json")!;
        return JsonSerializer.Deserialize<Dictionary<string, string>>(stream)!.ToFrozenDictionary();
    }
}
