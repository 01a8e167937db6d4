using System.Text;
using Virga.Core;
using Virga.Transfers.Planning;

namespace Virga.Transfers.Tests.Planning;

public sealed class PriceTests
{
    [Fact]
    public void Every_shipped_figure_has_a_date_and_a_page()
    {
        var figures = PriceFile.Shipped.Services.Values.SelectMany(s => s.Figures).Select(f => f.Figure)
            .OfType<PriceFigure>().Append(PriceFile.Shipped.HourIsWorth).ToList();
        Assert.True(figures.Count > 40, $"{figures.Count} figures");
        Assert.All(figures, f => Assert.NotNull(f.Date));
        Assert.All(figures, f => Assert.True(
            f.Source.StartsWith("http", StringComparison.Ordinal) || f.Source == "docs/guides/plans.md", f.Source));
    }

    [Theory]
    [InlineData("s3", "s3.eu-central-1.amazonaws.com", "aws-s3", "eu-central-1")]
    [InlineData("s3", "bucket.s3.eu-west-1.amazonaws.com", "aws-s3", "eu-west-1")]
    [InlineData("s3", "s3-us-west-2.amazonaws.com", "aws-s3", "us-west-2")]
    [InlineData("s3", "s3.amazonaws.com", "aws-s3", "us-east-1")]
    [InlineData("s3", "s3.us-west-004.backblazeb2.com", "backblaze-b2", "us-west-004")]
    [InlineData("s3", "abc.r2.cloudflarestorage.com", "cloudflare-r2", "abc.r2.cloudflarestorage.com")]
    [InlineData("s3", "s3.eu-central-2.wasabisys.com", "wasabi", "eu-central-2")]
    [InlineData("s3", "storage.googleapis.com", "google-cloud-storage", "storage.googleapis.com")]
    [InlineData("s3", "127.0.0.1", "self-hosted", "127.0.0.1")]
    [InlineData("webdav", "192.168.1.9", "self-hosted", "192.168.1.9")]
    [InlineData("webdav", "[fd00::1]", "self-hosted", "[fd00::1]")]
    [InlineData("webdav", "cloud.example.org", "unknown", "cloud.example.org")]
    [InlineData("s3", "s3.amazonaws.com.evil.example", "unknown", "us-east-1")]
    [InlineData("s3", "notamazonaws.com", "unknown", "notamazonaws.com")]
    public void A_host_tells_the_service_and_the_region(string adapter, string host, string service, string region)
    {
        var place = PriceFile.Shipped.PlaceOf(null, adapter, host);
        Assert.Equal((service, region), (place.Service.Id, place.Region));
    }

    [Fact]
    public void An_rclone_remote_is_unknown_until_the_user_says_where_it_is()
    {
        Assert.Equal("unknown", PriceFile.Shipped.PlaceOf("drive", "rclone", null).Service.Id);
        var told = Parse("""{ "accounts": { "drive": "google-drive" } }""");
        Assert.Equal("google-drive", told.PlaceOf("drive", "rclone", null).Service.Id);
        Assert.Equal("unknown", told.PlaceOf("other", "rclone", null).Service.Id);
        Assert.Equal("disk", told.PlaceOf("other", "disk", null).Service.Id);
    }

    [Fact]
    public void Ones_own_file_changes_the_figures_that_it_names_and_no_others()
    {
        var book = Parse(
            """
            // A contract of our own.
            { "services": { "aws-s3": { "egressPerGB": { "amount": 0.05, "date": "2026-10-01", "source": "contract 7" },
                                        "ingressPerGB": null },
                            "mine": { "hosts": ["s3.mine.example"], "egressPerGB": 0.001 } },
              "yourAgentPerGB": 0.02, }
            """);
        var aws = book.Services["aws-s3"];
        var contract = new PriceFigure(0.05m, new DateOnly(2026, 10, 1), "contract 7");
        Assert.Equal(contract, aws.EgressPerGB);
        Assert.Null(aws.IngressPerGB);
        Assert.Equal(PriceFile.Shipped.Services["aws-s3"].ReadsPer1000, aws.ReadsPer1000);
        Assert.Equal("mine", book.PlaceOf(null, "s3", "s3.mine.example").Service.Id);
        Assert.Equal(new PriceFigure(0.02m, null, "prices.json"), book.YourAgentPerGB);
        Assert.Equal(PriceFile.Shipped.HourIsWorth, book.HourIsWorth);
    }

    [Theory]
    [InlineData("{", "line 1")]
    [InlineData("[]", "the file is not an object")]
    [InlineData("""{ "service": {} }""", "unknown field 'service'; known are currency")]
    [InlineData("""{ "services": { "aws-s3": { "egress": 1 } } }""", "services.aws-s3 has the unknown field 'egress'")]
    [InlineData("""{ "services": { "aws-s3": { "egressPerGB": -1 } } }""", "aws-s3.egressPerGB is not a number")]
    [InlineData("""{ "services": { "aws-s3": { "egressPerGB": "1" } } }""", "aws-s3.egressPerGB is not an object")]
    [InlineData("""{ "services": { "x": { "egressPerGB": {} } } }""", "services.x.egressPerGB has no amount")]
    [InlineData("""{ "services": { "x": { "egressPerGB": { "amount": 1, "date": "soon" } } } }""", "is not a date")]
    [InlineData("""{ "accounts": { "nas": "nowhere" } }""", "accounts.nas is 'nowhere', which is no service")]
    [InlineData("""{ "currency": "EUR" }""", "currency is EUR, where the shipped prices are in USD")]
    [InlineData("""{ "currency": "dollars" }""", "currency is not three capital letters")]
    [InlineData("""{ "yourAgentPerGB": null }""", "yourAgentPerGB is missing")]
    [InlineData("""{ "hourIsWorth": 1, "hourIsWorth": 2 }""", "has 'hourIsWorth' twice")]
    [InlineData("""{ "yourAgentPerGB": 1e30 }""", "is not a number from 0 to 1000000")]
    public void A_file_that_is_wrong_is_refused_with_the_place_and_the_fault(string json, string says)
    {
        var e = Assert.Throws<VirgaException>(() => Parse(json));
        Assert.Equal(FailureKind.BadInput, e.Kind);
        Assert.StartsWith("prices.json", e.Message, StringComparison.Ordinal);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Advice);
    }

    [Theory]
    [InlineData("0.25", "0.25 USD")]
    [InlineData("0", "0.00 USD")]
    [InlineData("3 USD", "3.00 USD")]
    [InlineData("0.00001usd", "0.0001 USD")]
    [InlineData("1.23451", "1.2346 USD")]
    public void Amounts_are_read_and_shown_rounded_up(string text, string shown) =>
        Assert.Equal(shown, Money.Parse(text, "USD").ToString());

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("1,50")]
    [InlineData("1 EUR")]
    [InlineData("cheap")]
    public void What_is_no_amount_is_refused(string text) =>
        Assert.Equal(FailureKind.BadInput, Assert.Throws<VirgaException>(() => Money.Parse(text, "USD")).Kind);

    [Fact]
    public void Amounts_of_two_currencies_never_meet() =>
        Assert.Throws<InvalidOperationException>(() => new Money(1, "USD") + new Money(1, "EUR"));

    [Fact]
    public void A_rate_is_a_mean_that_follows_the_newest_and_short_transfers_say_nothing()
    {
        Assert.Null(RateTable.Next(null, 1000, TimeSpan.FromSeconds(1)));
        Assert.Null(RateTable.Next(null, 10_000_000, TimeSpan.Zero));
        var first = RateTable.Next(null, 10_000_000, TimeSpan.FromSeconds(1));
        Assert.Equal(10e6, first);
        Assert.Equal(16e6, RateTable.Next(first, 30_000_000, TimeSpan.FromSeconds(1))!.Value, 1.0);
    }

    private static PriceBook Parse(string json) =>
        PriceFile.Parse(Encoding.UTF8.GetBytes(json), "prices.json", PriceFile.Shipped);
}
