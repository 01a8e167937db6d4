using System.Net.Http.Json;

namespace Virga.Agent.Control;

/// <summary>The routes about files that come in pieces.</summary>
public sealed partial class ControlClient
{
    private const string FileUploadsPlace = "/control/file-uploads";

    public Task<List<FileUploadInfo>> FileUploadsAsync(CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, FileUploadsPlace, null, ControlJson.Default.ListFileUploadInfo, cancellationToken);

    public Task<FileUploadInfo> BeginFileUploadAsync(
        FileUploadRequest request, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post, FileUploadsPlace, JsonContent.Create(request, ControlJson.Default.FileUploadRequest),
        ControlJson.Default.FileUploadInfo, cancellationToken);

    public Task<FileUploadInfo> FileUploadAsync(string id, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get, $"{FileUploadsPlace}/{Escape(id)}", null, ControlJson.Default.FileUploadInfo,
        cancellationToken);

    /// <summary>Sends on from a byte; what the content holds of the file, whole or not.</summary>
    public Task<FileUploadInfo> AppendAsync(
        string id, long offset, Stream content, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Patch, $"{FileUploadsPlace}/{Escape(id)}?offset={offset}", new StreamContent(content),
        ControlJson.Default.FileUploadInfo, cancellationToken);

    public Task EndFileUploadAsync(string id, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Delete, $"{FileUploadsPlace}/{Escape(id)}", null, cancellationToken);
}
