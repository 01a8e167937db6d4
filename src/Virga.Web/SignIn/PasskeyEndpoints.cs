using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Virga.Web.Serving;
using Virga.Web.Texts;

namespace Virga.Web.SignIn;

/// <summary>What the page's script asks about passkeys; forms bring the answers to signing in.</summary>
internal static class PasskeyEndpoints
{
    public const string Prefix = "/passkey";

    /// <summary>Who adds a passkey proves again who they are: an unwatched browser must not be enough.</summary>
    private sealed record NewRequest(string? Password, PasskeyAnswer? Proof);

    private sealed record AddRequest(PasskeyAnswer? Answer, string? Name);

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost(Prefix + "/prove", ProveAsync).AllowAnonymous();
        routes.MapPost(Prefix + "/confirm", http => AskAsync(http, PasskeyService.Purpose.Confirm));
        routes.MapPost(Prefix + "/new", NewAsync);
        routes.MapPost(Prefix + "/add", AddAsync);
    }

    public static string TextOf(Words words, PasskeyProblem problem) => words[problem switch
    {
        PasskeyProblem.Late => "passkey.late",
        PasskeyProblem.TooMany => "passkey.toomany",
        _ => "passkey.refused",
    }];

    private static Task ProveAsync(HttpContext http) => AskAsync(http, PasskeyService.Purpose.SignIn);

    private static async Task AskAsync(HttpContext http, PasskeyService.Purpose purpose)
    {
        var service = http.RequestServices.GetRequiredService<PasskeyService>();
        await AnswerAsync(http, await service.AskToProveAsync(http, purpose));
    }

    private static async Task NewAsync(HttpContext http)
    {
        var service = http.RequestServices.GetRequiredService<PasskeyService>();
        var signIn = http.RequestServices.GetRequiredService<SignInService>();
        if (!await signIn.IsSetUpAsync(http.RequestAborted))
        {
            await AnswerAsync(http, await service.AskToMakeAsync(http, PasskeyService.Purpose.First));
            return;
        }
        var request = await http.Request.ReadFromJsonAsync<NewRequest>(http.RequestAborted);
        var words = Words.Of(http);
        string? problem;
        if (await signIn.HasPasswordAsync(http.RequestAborted))
        {
            var (isRight, wait) = await signIn.CheckAsync(request?.Password ?? "", http.RequestAborted);
            problem = isRight is null ? words.With("signin.wait", words.Span(wait))
                : isRight.Value ? null : words["signin.wrong"];
        }
        else
        {
            var refused = await service.CheckAsync(http, PasskeyService.Purpose.Confirm, request?.Proof);
            problem = refused is { } why ? TextOf(words, why) : null;
        }
        if (problem is not null) await RefuseAsync(http, problem);
        else await AnswerAsync(http, await service.AskToMakeAsync(http, PasskeyService.Purpose.Add));
    }

    private static async Task AddAsync(HttpContext http)
    {
        var request = await http.Request.ReadFromJsonAsync<AddRequest>(http.RequestAborted);
        var problem = await http.RequestServices.GetRequiredService<PasskeyService>()
            .AddAsync(http, request?.Answer, request?.Name ?? "");
        if (problem is { } why) await RefuseAsync(http, TextOf(Words.Of(http), why));
        else http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static Task AnswerAsync(HttpContext http, PasskeyQuestion question)
    {
        http.Response.ContentType = "application/json";
        // The mark is base64url, and the options are JSON already.
        return http.Response.WriteAsync(
            $$"""{"mark":"{{question.Mark}}","options":{{question.Options}}}""", http.RequestAborted);
    }

    private static Task RefuseAsync(HttpContext http, string message)
    {
        http.Response.StatusCode = StatusCodes.Status400BadRequest;
        return http.Response.WriteAsJsonAsync(new { message }, http.RequestAborted);
    }
}
