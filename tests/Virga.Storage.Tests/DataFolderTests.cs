using System.Buffers;
using System.Globalization;
using System.Text;
using Virga.Core;

namespace Virga.Storage.Tests;

public sealed class DataFolderTests : IDisposable
{
    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void A_new_folder_is_for_its_owner_only()
    {
        using var folder = DataFolder.Open(temporary["a/b"]);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
            File.GetUnixFileMode(folder.Path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder.PathOf("virga.lock")));
    }

    [Fact]
    public void The_second_to_open_a_folder_is_told_who_holds_it()
    {
        using var folder = DataFolder.Open(temporary["d"]);
        var failure = Assert.Throws<VirgaException>(() => DataFolder.Open(temporary["d"]));
        Assert.Equal(FailureKind.InUse, failure.Kind);
        Assert.Contains(temporary["d"], failure.Message, StringComparison.Ordinal);
        Assert.Contains(Environment.ProcessId.ToString(CultureInfo.InvariantCulture), failure.Message,
            StringComparison.Ordinal);
        Assert.NotNull(failure.Advice);
        Assert.Equal(Environment.ProcessId, DataFolder.HolderOf(temporary["d"]));
    }

    [Fact]
    public void A_folder_that_was_closed_can_be_opened_again()
    {
        DataFolder.Open(temporary["d"]).Dispose();
        Assert.Null(DataFolder.HolderOf(temporary["d"]));
        DataFolder.Open(temporary["d"]).Dispose();
    }

    [Fact]
    public void A_file_in_the_way_is_named()
    {
        File.WriteAllText(temporary["f"], "x");
        var failure = Assert.Throws<VirgaException>(() => DataFolder.Open(temporary["f"]));
        Assert.Equal(FailureKind.BadInput, failure.Kind);
        Assert.Contains(temporary["f"], failure.Message, StringComparison.Ordinal);
    }
}

public sealed class DataKeyTests : IDisposable
{
    private static readonly RandomBytes Random = Counting();
    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public void What_is_sealed_opens_and_shows_nothing()
    {
        using var key = DataKey.Load(temporary["key"], mayCreate: true, Random);
        SealedFile.Write(temporary["box"], key, "a secret"u8, Random);
        using var again = DataKey.Load(temporary["key"], mayCreate: false, Random);
        Assert.Equal("a secret", Encoding.UTF8.GetString(SealedFile.Read(temporary["box"], again).Span));
        SealedFile.Write(temporary["parts"], key, Parts, Random);
        var whole = new ArrayBufferWriter<byte>();
        Parts(whole);
        Assert.Equal(whole.WrittenSpan, SealedFile.Read(temporary["parts"], again).Span);
        Assert.DoesNotContain("secret", Encoding.Latin1.GetString(File.ReadAllBytes(temporary["box"])),
            StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(temporary["box"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(temporary["key"]));

        static void Parts(IBufferWriter<byte> output)
        {
            foreach (var length in (int[])[1, 65_535, 70_000, 4096, 200_000, 3])
            {
                output.GetSpan(length)[..length].Fill((byte)length);
                output.Advance(length);
            }
        }
    }

    [Fact]
    public void Every_flipped_bit_and_every_cut_is_found()
    {
        using var key = new DataKey(new byte[32]);
        var box = key.Seal("hello"u8, "place"u8, Random);
        for (var bit = 0; bit < box.Length * 8; bit++)
        {
            box[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Equal(FailureKind.Corrupt, Assert.Throws<VirgaException>(() => key.Open(box, "place"u8, "box"))
                .Kind);
            box[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        for (var length = 0; length < box.Length; length++)
            Assert.Throws<VirgaException>(() => key.Open(box.AsSpan(0, length), "place"u8, "box"));
        Assert.Throws<VirgaException>(() => key.Open(box, "elsewhere"u8, "box"));
        Assert.Equal("hello"u8.ToArray(), key.Open(box, "place"u8, "box"));
    }

    [Fact]
    public void A_sealed_file_under_another_name_does_not_open()
    {
        using var key = new DataKey(new byte[32]);
        SealedFile.Write(temporary["one"], key, "x"u8, Random);
        File.Move(temporary["one"], temporary["two"]);
        Assert.Equal(FailureKind.Corrupt, Assert.Throws<VirgaException>(() => SealedFile.Read(temporary["two"], key))
            .Kind);
    }

    [Fact]
    public void A_missing_key_is_not_replaced_where_something_is_sealed()
    {
        var failure = Assert.Throws<VirgaException>(() => DataKey.Load(temporary["key"], mayCreate: false, Random));
        Assert.Equal(FailureKind.NotFound, failure.Kind);
        Assert.False(File.Exists(temporary["key"]));
    }

    [Fact]
    public void A_key_that_others_may_read_is_refused_with_the_command_that_helps()
    {
        DataKey.Load(temporary["key"], mayCreate: true, Random).Dispose();
        File.SetUnixFileMode(temporary["key"], UnixFileMode.UserRead | UnixFileMode.GroupRead);
        var failure = Assert.Throws<VirgaException>(() => DataKey.Load(temporary["key"], mayCreate: false, Random));
        Assert.Equal(FailureKind.Denied, failure.Kind);
        Assert.Contains("chmod 600", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_of_the_wrong_length_is_Corrupt()
    {
        DurableFile.Write(temporary["key"], new byte[31]);
        Assert.Equal(FailureKind.Corrupt,
            Assert.Throws<VirgaException>(() => DataKey.Load(temporary["key"], mayCreate: true, Random)).Kind);
    }

    private static RandomBytes Counting()
    {
        byte next = 0;
        return destination =>
        {
            for (var i = 0; i < destination.Length; i++) destination[i] = next++;
        };
    }

    [Fact]
    public void One_key_opens_boxes_on_many_threads_at_once()
    {
        using var key = new DataKey(new byte[32]);
        var plain = new byte[64 << 10];
        Random(plain);
        var box = key.Seal(plain, "here"u8, Random);
        var wrong = 0;
        // Threads of its own: the pool's may all be taken by other tests, and one after the other proves nothing.
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(OpenMany)).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        Assert.Equal(0, wrong);

        void OpenMany()
        {
            for (var i = 0; i < 500; i++)
            {
                try
                {
                    if (!key.Open(box, "here"u8, "a box").AsSpan().SequenceEqual(plain))
                        Interlocked.Increment(ref wrong);
                }
                catch (VirgaException)
                {
                    Interlocked.Increment(ref wrong);
                }
            }
        }
    }
}
