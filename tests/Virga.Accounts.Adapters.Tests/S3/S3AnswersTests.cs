using System.Net;
using Amazon.Runtime;
using Virga.Accounts.Adapters.S3;

namespace Virga.Accounts.Adapters.Tests.S3;

public sealed class S3AnswersTests
{
    [Fact]
    public async Task What_the_service_says_is_there_before_anybody_reads_it()
    {
        using var answer = await AskAsync(new AsyncOnlyStream(1 << 20), content => { });

        // As Amazon's client does, on the caller's thread.
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Equal(1 << 20, reader.ReadToEnd().Length);
    }

    [Fact]
    public async Task An_objects_content_is_not_taken_into_memory()
    {
        var stream = new AsyncOnlyStream(long.MaxValue);
        using var answer = await AskAsync(stream, content => content.LastModified = DateTimeOffset.UnixEpoch);

        Assert.Equal(0, stream.Position);
        await using var content = await answer.Content.ReadAsStreamAsync();
        Assert.Equal(100, await content.ReadAsync(new byte[100]));
    }

    [Fact]
    public async Task Words_without_end_are_no_answer_of_S3()
    {
        var failure = await Assert.ThrowsAsync<AmazonClientException>(
            () => AskAsync(new AsyncOnlyStream(long.MaxValue), content => { }));

        Assert.Contains("16 MiB", failure.Message, StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> AskAsync(
        Stream stream, Action<System.Net.Http.Headers.HttpContentHeaders> describe)
    {
        using var client = new HttpMessageInvoker(new S3Answers(new Answering(() =>
        {
            var answer = new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(stream) };
            describe(answer.Content.Headers);
            return answer;
        })));
        return await client.SendAsync(new HttpRequestMessage(HttpMethod.Get, "http://127.0.0.1/"), default);
    }

    private sealed class Answering(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(answer());
    }

    /// <summary>Spaces, for those who don't block a thread for them.</summary>
    private sealed class AsyncOnlyStream(long length) : Stream
    {
        private long position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => position;
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(
            Memory<byte> destination, CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            var count = (int)Math.Min(destination.Length, length - position);
            destination.Span[..count].Fill((byte)' ');
            position += count;
            return count;
        }

        public override Task<int> ReadAsync(byte[] array, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(array.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] array, int offset, int count) =>
            throw new NotSupportedException("a thread would be blocked");

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] array, int offset, int count) => throw new NotSupportedException();
    }
}
