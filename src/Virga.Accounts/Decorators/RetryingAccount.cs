using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Polly;
using Polly.Retry;
using Virga.Core;

namespace Virga.Accounts.Decorators;

/// <param name="TriesMax">Tries of one call, the first included.</param>
/// <param name="FirstDelay">Before the second try, less up to half of it by chance; doubles from try to try.</param>
/// <param name="DelayMax">Longest pause of our own choice.</param>
/// <param name="RetryAfterMax">A service that asks for a longer pause is not waited for: the caller decides.</param>
public sealed record RetryOptions(int TriesMax, TimeSpan FirstDelay, TimeSpan DelayMax, TimeSpan RetryAfterMax)
{
    public static readonly RetryOptions Default =
        new(6, TimeSpan.FromMilliseconds(400), TimeSpan.FromSeconds(20), TimeSpan.FromMinutes(2));
}

/// <summary>
/// Repeats what failed for a passing reason (<see cref="VirgaException.IsTransient"/>) and is safe to repeat; a read
/// that breaks is taken up again at the byte where it broke, pinned to the version that it began with.
/// <para>
/// Not repeated: a part of an upload whose parts come in sequence and that can't be taken up again, since it may have
/// arrived. A completed upload or a move whose answer got lost is recognised. A begun upload whose answer got lost
/// stays behind as a pending upload (<see cref="IResumableUploads.ListUploadsAsync"/> finds it).
/// </para>
/// </summary>
public sealed class RetryingAccount : AccountDecorator
{
    private readonly ResiliencePipeline pipeline;
    private readonly RandomBytes random;
    private readonly RetryOptions options;

    public RetryingAccount(
        IAccount inner, TimeProvider time, RandomBytes random, RetryOptions? options = null) : base(inner)
    {
        this.random = random;
        this.options = options ?? RetryOptions.Default;
        pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = Math.Max(1, this.options.TriesMax - 1),
                ShouldHandle = args => ValueTask.FromResult(IsWorthRepeating(args.Outcome.Exception)),
                DelayGenerator = args => ValueTask.FromResult<TimeSpan?>(
                    DelayBefore(args.AttemptNumber, args.Outcome.Exception)),
            })
            .Build();
    }

    public override async ValueTask<EntryReader> ReadAsync(
        EntryPath path, ByteRange range, EntryVersion? pin, CancellationToken cancellationToken)
    {
        var reader = await pipeline.ExecuteAsync(token => Inner.ReadAsync(path, range, pin, token), cancellationToken);
        return reader.Entry.Version is null
            ? reader
            : new EntryReader(reader.Entry, new ReadStream(this, reader, reader.Entry.Version, path, range));
    }

    protected override ValueTask<T> CallAsync<T>(
        AccountCall call, Func<CancellationToken, ValueTask<T>> action, CancellationToken cancellationToken) =>
        call.Operation == AccountOperation.WritePart
            && Traits is { PartOrder: PartOrder.Sequence, UploadResume: UploadResume.None }
            ? action(cancellationToken)
            : pipeline.ExecuteAsync(action, cancellationToken);

    private protected override IUpload Take(IUpload upload, UploadTerms terms) =>
        Traits.PartOrder == PartOrder.Sequence && upload.Token is { } token
            && Inner.Find<IResumableUploads>() is { } resumable
            ? new SequentialUpload(upload, token, terms, resumable)
            : upload;

    protected override async ValueTask<Entry> CompleteAsync(
        AccountCall call, IUpload upload, IReadOnlyList<PartReceipt> parts, CancellationToken cancellationToken)
    {
        var isInDoubt = false;
        return await pipeline.ExecuteAsync(
            async token =>
            {
                try
                {
                    return await upload.CompleteAsync(parts, token);
                }
                catch (VirgaException e) when (e.IsTransient)
                {
                    isInDoubt = true;
                    throw;
                }
                catch (VirgaException e) when (isInDoubt && e.Kind is FailureKind.NotFound or FailureKind.Conflict)
                {
                    // Only its completion ends an upload that nobody else has a hand on: the first answer got lost.
                    var entry = await Inner.StatAsync(call.Path, token);
                    if (entry is { Kind: EntryKind.File } && entry.Length == call.Bytes) return entry;
                    throw;
                }
            },
            cancellationToken);
    }

    public override async ValueTask MoveAsync(EntryPath from, EntryPath to, CancellationToken cancellationToken)
    {
        var isInDoubt = false;
        var wasThere = false;
        await pipeline.ExecuteAsync(
            async token =>
            {
                // Without this look a source that never was couldn't be told from one that has moved.
                if (!wasThere) wasThere = await Inner.StatAsync(from, token) is not null;
                try
                {
                    await Inner.MoveAsync(from, to, token);
                }
                catch (VirgaException e) when (e.IsTransient)
                {
                    isInDoubt = true;
                    throw;
                }
                catch (VirgaException e) when (e.Kind == FailureKind.NotFound && isInDoubt && wasThere)
                {
                    if (await Inner.StatAsync(to, token) is null) throw;
                }
            },
            cancellationToken);
    }

    protected override async IAsyncEnumerable<T> ListAsync<T>(
        AccountCall call,
        Func<CancellationToken, IAsyncEnumerable<T>> list,
        Func<T, string> key,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // A listing can't be taken up in its middle: it is begun again, and what was handed out is passed over.
        var seen = new HashSet<UInt128>();
        IAsyncEnumerator<T>? items = null;
        try
        {
            while (true)
            {
                var next = await pipeline.ExecuteAsync(
                    async token =>
                    {
                        items ??= list(cancellationToken).GetAsyncEnumerator(cancellationToken);
                        try
                        {
                            while (await items.MoveNextAsync())
                            {
                                if (seen.Add(Digest(key(items.Current)))) return (HasValue: true, Value: items.Current);
                            }
                            return (false, default!);
                        }
                        catch (VirgaException e) when (e.IsTransient)
                        {
                            await items.DisposeAsync();
                            items = null;
                            throw;
                        }
                    },
                    cancellationToken);
                if (!next.HasValue) yield break;
                yield return next.Value;
            }
        }
        finally
        {
            if (items is not null) await items.DisposeAsync();
        }
    }

    private static UInt128 Digest(string key)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), digest);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(digest);
    }

    private bool IsWorthRepeating(Exception? failure) =>
        options.TriesMax > 1
        && failure is VirgaException { IsTransient: true } transient
        && !(transient.RetryAfter > options.RetryAfterMax);

    /// <summary>
    /// Half of the pause is chance, so that many callers that failed together don't come back together.
    /// </summary>
    private TimeSpan DelayBefore(int retry, Exception? failure)
    {
        Span<byte> bytes = stackalloc byte[4];
        random(bytes);
        var chance = BitConverter.ToUInt32(bytes) / (double)uint.MaxValue;
        var own = Math.Min(options.FirstDelay.TotalSeconds * Math.Pow(2, retry), options.DelayMax.TotalSeconds);
        var asked = (failure as VirgaException)?.RetryAfter is { } after && after > TimeSpan.Zero
            ? after
            : TimeSpan.Zero;
        return asked > TimeSpan.Zero
            ? asked + TimeSpan.FromSeconds(options.FirstDelay.TotalSeconds * chance)
            : TimeSpan.FromSeconds(own * (1 + chance) / 2);
    }

    private sealed class ReadStream(
        RetryingAccount account,
        EntryReader first,
        EntryVersion? version,
        EntryPath path,
        ByteRange range) : AccountReadStream
    {
        private EntryReader? reader = first;
        private long offset = range.Offset;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            account.pipeline.ExecuteAsync(
                static (read, token) => read.Stream.ReadOnceAsync(read.Buffer, token),
                (Stream: this, Buffer: buffer),
                cancellationToken);

        private async ValueTask<int> ReadOnceAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            reader ??= await account.Inner.ReadAsync(
                path, new ByteRange(offset, range.End - offset), version, cancellationToken);
            try
            {
                var count = await reader.Content.ReadAsync(buffer, cancellationToken);
                if (count == 0 && !buffer.IsEmpty && offset < range.End)
                    throw new VirgaException(
                        FailureKind.Unavailable, $"the read of '{path}' ended early, at byte {offset} of {range}");
                offset += count;
                return count;
            }
            catch (VirgaException e) when (e.IsTransient)
            {
                await reader.DisposeAsync();
                reader = null;
                throw;
            }
        }

        public override async ValueTask DisposeAsync()
        {
            if (reader is not null) await reader.DisposeAsync();
            reader = null;
            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) reader?.Content.Dispose();
            reader = null;
            base.Dispose(disposing);
        }
    }
}
