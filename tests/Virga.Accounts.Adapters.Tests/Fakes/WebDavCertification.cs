using Virga.Testing.Fakes;
using Virga.Testing.Fakes.WebDav;

namespace Virga.Accounts.Adapters.Tests.Fakes;

/// <summary>The server like Nextcloud by rclone's own webdav backend, which knows Nextcloud.</summary>
public sealed class WebDavCertification : RcloneCertification
{
    private readonly FakeWebDav fake = new(DavFlavour.Nextcloud, TimeProvider.System);

    protected override FakeService Service => fake;

    protected override IReadOnlyDictionary<string, string> Remote => new Dictionary<string, string>
    {
        ["type"] = "webdav",
        ["url"] = $"https://{FakeWebDav.Host}{FakeWebDav.Prefix}",
        ["vendor"] = "nextcloud",
        ["user"] = "ann",
    };

    protected override int ChunkBytes => 64 << 10;

    protected override string[] Arguments => [];
}
