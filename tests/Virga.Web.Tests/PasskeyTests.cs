using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Virga.Agent.State;

namespace Virga.Web.Tests;

public sealed partial class PasskeyTests
{
    [Fact]
    public async Task A_passkey_is_the_first_way_to_sign_in_and_the_recovery_code_sets_a_password()
    {
        await using var fixture = await Fixture.StartAsync();
        using var passkey = new Authenticator();
        var (browser, code) = await SetUpAsync(fixture, passkey);
        browser.Dispose();

        using var another = fixture.Browser();
        var form = await another.GetStringAsync("/sign-in");
        Assert.Contains("data-passkey=\"prove\"", form);
        Assert.DoesNotContain("id=\"password\"", form);
        Assert.EndsWith("/share", await SignInAsync(fixture, another, passkey, "/sign-in?to=%2Fshare"));
        using var page = await another.GetAsync("/settings");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);

        const string password = "found in the safe";
        using var heir = fixture.Browser();
        await Fixture.PostAsync(
            heir, "/recover", ("Form.Code", code), ("Form.Password", password), ("Form.Again", password));
        using var late = fixture.Browser();
        Assert.EndsWith("/", await Fixture.PostAsync(late, "/sign-in", ("Form.Password", password)));
        using var still = fixture.Browser();
        Assert.EndsWith("/", await SignInAsync(fixture, still, passkey));
    }

    [Fact]
    public async Task An_answer_is_good_once_for_its_own_question_alone()
    {
        await using var fixture = await Fixture.StartAsync();
        using var passkey = new Authenticator();
        (await SetUpAsync(fixture, passkey)).Browser.Dispose();
        using var browser = fixture.Browser();
        var question = await AskAsync(fixture, browser, "/passkey/prove");
        var answer = passkey.Prove(question["options"]!, OriginOf(fixture));
        Assert.EndsWith("/", await PostAsync(fixture, browser, "/sign-in", question, answer));

        using var thief = fixture.Browser();
        Assert.Contains("used already", await PostAsync(fixture, thief, "/sign-in", question, answer));
        var other = await AskAsync(fixture, thief, "/passkey/prove");
        Assert.Contains("not one of", await PostAsync(fixture, thief, "/sign-in", other, answer));
        var garbled = new JsonObject { ["mark"] = "AAAA" + (string)other["mark"]! };
        var fresh = passkey.Prove(other["options"]!, OriginOf(fixture));
        Assert.Contains("used already", await PostAsync(fixture, thief, "/sign-in", garbled, fresh));
        Assert.Contains("not one of", await PostAsync(fixture, thief, "/sign-in", other, "{\"id\":7}"));
        Assert.Contains("not one of", await PostAsync(fixture, thief, "/sign-in", other, "no json"));
        // Nor is an answer for something else one for signing in.
        using var unknown = new Authenticator();
        Assert.Contains("not one of", await SignInAsync(fixture, thief, unknown));
        Assert.Single(await fixture.Agent.SignIn.PasskeysAsync(default));
    }

    [Theory]
    [InlineData("http://localhost.evil.example", true)]
    [InlineData(null, false)]
    public async Task What_was_signed_for_another_page_or_for_nobody_is_refused(string? origin, bool verifies)
    {
        await using var fixture = await Fixture.StartAsync();
        using var browser = await fixture.EnterAsync();
        using var passkey = new Authenticator { Origin = origin, Verifies = verifies };
        var question = await AskAsync(fixture, browser, "/passkey/new");
        var answer = passkey.Make(question["options"]!, OriginOf(fixture));
        Assert.Contains("not one of", await PostAsync(fixture, browser, "/welcome", question, answer));
        Assert.Null(await fixture.Agent.SignIn.FindAsync(default));
    }

    [Fact]
    public async Task Who_adds_a_passkey_knows_the_password_and_a_removed_one_signs_nobody_in()
    {
        await using var fixture = await Fixture.StartAsync();
        var (browser, _) = await fixture.SetUpAsync();
        using (browser)
        {
            using var passkey = new Authenticator();
            using var guess = await SendAsync(fixture, browser, "/passkey/new", new { password = "a guess" });
            Assert.Equal(HttpStatusCode.BadRequest, guess.StatusCode);
            Assert.Contains("not the password", await guess.Content.ReadAsStringAsync());
            var question = await AskAsync(fixture, browser, "/passkey/new", new { password = Fixture.Password });
            var made = passkey.Make(question["options"]!, OriginOf(fixture));
            var answer = new { mark = (string)question["mark"]!, credential = made };
            var add = new { answer, name = "phone" };
            // The question belongs to the session that asked it.
            using var other = fixture.Browser();
            await Fixture.PostAsync(other, "/sign-in", ("Form.Password", Fixture.Password));
            using var stolen = await SendAsync(fixture, other, "/passkey/add", add);
            Assert.Equal(HttpStatusCode.BadRequest, stolen.StatusCode);
            using var added = await SendAsync(fixture, browser, "/passkey/add", add);
            Assert.Equal(HttpStatusCode.NoContent, added.StatusCode);
            using var twice = await SendAsync(fixture, browser, "/passkey/add", add);
            Assert.Equal(HttpStatusCode.BadRequest, twice.StatusCode);

            var known = Assert.Single(await fixture.Agent.SignIn.PasskeysAsync(default));
            Assert.Equal(("phone", "localhost"), (known.Name, known.Host));
            using var fresh = fixture.Browser();
            Assert.EndsWith("/", await SignInAsync(fixture, fresh, passkey));
            Assert.Equal(1, (await fixture.Agent.SignIn.PasskeysAsync(default))[0].SignCount);

            using var kept = new Authenticator();
            question = await AskAsync(fixture, browser, "/passkey/new", new { password = Fixture.Password });
            using var next = await SendAsync(fixture, browser, "/passkey/add", new
            {
                answer = new
                {
                    mark = (string)question["mark"]!, credential = kept.Make(question["options"]!, OriginOf(fixture)),
                },
            });
            Assert.Equal(HttpStatusCode.NoContent, next.StatusCode);
            Assert.True(await fixture.Agent.SignIn.RemoveAsync(known.Id, default));
            using var late = fixture.Browser();
            Assert.Contains("not one of", await SignInAsync(fixture, late, passkey));
            Assert.EndsWith("/", await SignInAsync(fixture, late, kept));
        }
    }

    [Fact]
    public async Task The_last_way_to_sign_in_is_not_removed_and_another_takes_a_proof()
    {
        await using var fixture = await Fixture.StartAsync();
        using var first = new Authenticator();
        using var second = new Authenticator();
        var (browser, _) = await SetUpAsync(fixture, first);
        using (browser)
        {
            var table = fixture.Agent.SignIn;
            var known = Assert.Single(await table.PasskeysAsync(default));
            Assert.False(await table.RemoveAsync(known.Id, default));
            using var bare = await SendAsync(fixture, browser, "/passkey/new", new { });
            Assert.Equal(HttpStatusCode.BadRequest, bare.StatusCode);
            // A proof for signing in, which anybody may ask for, is none for adding.
            var wrong = await AskAsync(fixture, browser, "/passkey/prove");
            using var other = await SendAsync(fixture, browser, "/passkey/new", new
            {
                proof = new
                {
                    mark = (string)wrong["mark"]!, credential = first.Prove(wrong["options"]!, OriginOf(fixture)),
                },
            });
            Assert.Equal(HttpStatusCode.BadRequest, other.StatusCode);
            var confirm = await AskAsync(fixture, browser, "/passkey/confirm");
            var question = await AskAsync(fixture, browser, "/passkey/new", new
            {
                proof = new
                {
                    mark = (string)confirm["mark"]!, credential = first.Prove(confirm["options"]!, OriginOf(fixture)),
                },
            });
            var made = second.Make(question["options"]!, OriginOf(fixture));
            using var added = await SendAsync(
                fixture, browser, "/passkey/add",
                new { answer = new { mark = (string)question["mark"]!, credential = made }, name = "" });
            Assert.Equal(HttpStatusCode.NoContent, added.StatusCode);
            Assert.True(await table.RemoveAsync(known.Id, default));
            using var fresh = fixture.Browser();
            Assert.EndsWith("/", await SignInAsync(fixture, fresh, second));
        }
    }

    [Fact]
    public async Task A_page_that_is_opened_by_a_number_says_where_passkeys_work()
    {
        await using var fixture = await Fixture.StartAsync();
        using var passkey = new Authenticator();
        (await SetUpAsync(fixture, passkey)).Browser.Dispose();
        using var browser = fixture.Browser();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/sign-in")
        {
            Headers = { Host = $"127.0.0.1:{fixture.Page.Place.Port}" },
        };
        using var answer = await browser.SendAsync(request);
        var form = await answer.Content.ReadAsStringAsync();
        Assert.Contains("opened by a number", form);
        Assert.Contains($"href=\"http://localhost:{fixture.Page.Place.Port}\"", form);
        Assert.DoesNotContain("data-passkey", form);
    }

    private static string OriginOf(Fixture fixture) => fixture.Page.Url.GetLeftPart(UriPartial.Authority);

    private static async Task<(HttpClient Browser, string Code)> SetUpAsync(Fixture fixture, Authenticator passkey)
    {
        var browser = await fixture.EnterAsync();
        Assert.Contains("data-passkey=\"make\"", await browser.GetStringAsync("/welcome"));
        var question = await AskAsync(fixture, browser, "/passkey/new");
        var made = passkey.Make(question["options"]!, OriginOf(fixture));
        var answer = await PostAsync(fixture, browser, "/welcome", question, made);
        return (browser, CodeIn().Match(answer).Groups[1].Value);
    }

    private static async Task<string> SignInAsync(
        Fixture fixture, HttpClient browser, Authenticator passkey, string path = "/sign-in")
    {
        var question = await AskAsync(fixture, browser, "/passkey/prove");
        var answer = passkey.Prove(question["options"]!, OriginOf(fixture));
        return await PostAsync(fixture, browser, path, question, answer);
    }

    private static async Task<JsonNode> AskAsync(
        Fixture fixture, HttpClient browser, string path, object? body = null)
    {
        using var answer = await SendAsync(fixture, browser, path, body ?? new { });
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    private static Task<HttpResponseMessage> SendAsync(
        Fixture fixture, HttpClient browser, string path, object body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Add("Origin", OriginOf(fixture));
        return browser.SendAsync(request);
    }

    /// <summary>Sends the answer with the form, as the page's script does.</summary>
    private static async Task<string> PostAsync(
        Fixture fixture, HttpClient browser, string path, JsonNode question, string answer)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new FormUrlEncodedContent(new Dictionary<string, string>
            {
                ["_handler"] = "passkey", ["Key.Mark"] = (string)question["mark"]!, ["Key.Credential"] = answer,
                ["__RequestVerificationToken"] = TokenIn().Match(await browser.GetStringAsync(path)).Groups[1].Value,
            }),
        };
        request.Headers.Add("Origin", OriginOf(fixture));
        using var result = await browser.SendAsync(request);
        return result.Headers.Location?.ToString() ?? await result.Content.ReadAsStringAsync();
    }

    [GeneratedRegex("""id="recovery-code">([a-z0-9-]+)<""")]
    private static partial Regex CodeIn();

    [GeneratedRegex("""name="__RequestVerificationToken" value="([^"]*)" """)]
    private static partial Regex TokenIn();
}
