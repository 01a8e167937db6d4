using Virga.Accounts.Adapters.Azure;
using Virga.Core;

namespace Virga.Accounts.Adapters.Tests.Azure;

public sealed class AzureAdapterTests
{
    private const string Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
        + "MDEyMzQ1Njc4OTo7PD0+Pw==";
    private static readonly AzureAdapter Adapter = new(TestServices.Real);

    private static AccountConfig Parse(string address, params (string, string)[] secrets) =>
        Adapter.ParseAddress(address, TestServices.None, TestServices.Map(secrets));

    [Theory]
    [InlineData("azure:https://acme.blob.core.windows.net/photos", "acme", "photos", "")]
    [InlineData("AZURE:https://acme.blob.core.windows.net/photos/a b/%C3%BC%25/", "acme", "photos", "a b/ü%/")]
    [InlineData("azure:https://acme.blob.core.windows.net/$web/x", "acme", "$web", "x/")]
    [InlineData("azure:http://127.0.0.1:10000/devstoreaccount1/photos/x", "devstoreaccount1", "photos", "x/")]
    [InlineData("azure:http://azurite:10000/devstoreaccount1/photos", "devstoreaccount1", "photos", "")]
    public void Addresses_are_read(string address, string account, string container, string prefix)
    {
        var settings = AzureSettings.From(Parse(address));
        Assert.Equal((account, container, prefix), (settings.Account, settings.Container, settings.Prefix));
        Assert.Equal(settings, AzureSettings.From(Parse(Adapter.Describe(Parse(address)))));
    }

    [Theory]
    [InlineData("azure:photos")]
    [InlineData("azure:https://acme.blob.core.windows.net")]
    [InlineData("azure:https://acme.blob.core.windows.net/")]
    [InlineData("azure:http://127.0.0.1:10000/devstoreaccount1")]
    [InlineData("azure:https://acme.blob.core.windows.net/Photos")]
    [InlineData("azure:https://acme.blob.core.windows.net/a--b")]
    [InlineData("azure:https://acme.blob.core.windows.net/photos?x=y")]
    [InlineData("azure:ftp://acme.blob.core.windows.net/photos")]
    [InlineData("https://acme.blob.core.windows.net/photos")]
    [InlineData("azure:")]
    public void Other_texts_are_refused_and_the_form_is_shown(string address)
    {
        var failure = Failing.With(FailureKind.BadInput, () => Parse(address), "");
        Assert.Contains(
            "azure:https://ACCOUNT.blob.core.windows.net/container", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pasted_SAS_URL_is_refused_and_its_signature_not_repeated()
    {
        var failure = Failing.With(
            FailureKind.BadInput,
            () => Parse("azure:https://acme.blob.core.windows.net/photos?sp=r&sv=2021-12-02&sr=c&sig=hunter2"),
                "SAS token");
        Assert.DoesNotContain("hunter2", failure.Message + failure.Advice, StringComparison.Ordinal);
        Assert.Contains("secret sas", failure.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("accountKey", "hunter2", "no key of a storage account")]
    [InlineData(
        "accountKey", "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=hunter2", "no key of a storage")]
    [InlineData("sas", "hunter2", "no signature")]
    [InlineData("sas", "sp=r&sig=hunter2", "what it is for")]
    public void Secrets_that_can_be_none_are_refused_and_not_repeated(string name, string value, string message)
    {
        var failure = Failing.With(
            FailureKind.BadInput, () => Parse("azure:https://acme.blob.core.windows.net/photos", (name, value)),
                message);
        Assert.DoesNotContain("hunter2", failure.Message + failure.Advice, StringComparison.Ordinal);
        Assert.False(string.IsNullOrEmpty(failure.Advice));
    }

    [Fact]
    public void A_connection_string_is_known_as_one() => Assert.Contains(
        "connection string",
        Failing.With(
            FailureKind.BadInput,
            () => Parse("azure:https://acme.blob.core.windows.net/photos", ("accountKey", "AccountKey=x")), "").Advice,
        StringComparison.Ordinal);

    [Fact]
    public void A_token_may_come_with_its_question_mark_or_whole_URL()
    {
        const string token = "sv=2021-12-02&sr=c&sp=rl&se=2031-01-01T00%3A00%3A00Z&sig=x";
        foreach (var text in new[] { token, "?" + token, "https://acme.blob.core.windows.net/photos?" + token })
        {
            var settings = AzureSettings.From(Parse("azure:https://acme.blob.core.windows.net/photos", ("sas", text)));
            Assert.Equal(token, settings.Sas);
            Assert.Equal("rl", settings.SasToken!.Permissions);
            Assert.Equal(new DateTimeOffset(2031, 1, 1, 0, 0, 0, TimeSpan.Zero), settings.SasToken.Expires);
        }
    }

    [Fact]
    public void Both_a_key_and_a_token_are_refused() => Failing.With(
        FailureKind.BadInput,
        () => Parse("azure:https://acme.blob.core.windows.net/photos", ("accountKey", Key), ("sas", "sr=c&sig=x")),
            "both");

    [Fact]
    public void Secrets_are_not_described()
    {
        var config = Parse("azure:https://acme.blob.core.windows.net/photos", ("accountKey", Key));
        Assert.DoesNotContain(Key, Adapter.Describe(config) + AzureSettings.From(config), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_only_a_key_can_do_is_not_offered_without_one()
    {
        const string address = "azure:https://acme.blob.core.windows.net/photos";
        await using var withKey = await Adapter.OpenAsync(Parse(address, ("accountKey", Key)), default);
        Assert.NotNull(withKey.Find<ISignedReadUrls>());
        Assert.NotNull(withKey.Find<ICopyGrants>());
        Assert.Equal("azure", withKey.Find<ICopyFromOthers>()!.Service);
        await using var reading = await Adapter.OpenAsync(Parse(address, ("sas", "sr=c&sp=rl&sig=x")), default);
        Assert.True(reading.Traits.IsReadOnly);
        Assert.Null(reading.Find<ISignedReadUrls>());
        Assert.Null(reading.Find<ICopyGrants>());
        Assert.Null(reading.Find<ICopyFromOthers>());
        await using var plain = await Adapter.OpenAsync(
            Parse("azure:http://127.0.0.1:1/acme/photos", ("accountKey", Key)), default);
        Assert.Null(plain.Find<ISignedReadUrls>());
    }

    // "Authorize with Shared Key" shows this request's string to sign; the signature is for the key above, by
    // printf '%b' 'PUT\n\n\n11\n...' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001... -binary | base64
    [Fact]
    public void Requests_are_signed_as_the_service_says()
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Put, "https://acme.blob.core.windows.net/photos/a%20b?comp=block&blockid=MDAw");
        request.Content = new ByteArrayContent(new byte[11]);
        request.Headers.Add("x-ms-version", "2023-11-03");
        request.Headers.Add("x-ms-date", "Sat, 21 Nov 2026 16:10:46 GMT");
        new AzureSigner("acme", Convert.FromBase64String(Key)).Sign(request);
        Assert.Equal("SharedKey acme:w9a0qTl6muLjP1ZxKVp82Z/NIjK+N+ivJMrAONvJ0tI=",
            Assert.Single(request.Headers.GetValues("Authorization")));
    }
}
