namespace Virga.Accounts.Adapters.B2;

/// <summary>What b2_authorize_account answered, and the bucket's id.</summary>
internal sealed record B2Session(string Token, string ApiUrl, string DownloadUrl, string AccountId, string BucketId)
{
    public override string ToString() => "session";
}

/// <summary>A URL and token for one upload at a time ("b2_get_upload_url": for 24 hours, until it fails).</summary>
internal sealed record B2UploadUrl(Uri Url, string Token)
{
    public override string ToString() => "upload URL";
}
