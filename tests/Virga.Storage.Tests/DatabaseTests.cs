using System.Text;
using Virga.Core;

namespace Virga.Storage.Tests;

public sealed class DatabaseTests : IDisposable
{
    private static readonly DatabaseSchema Schema = new(0x56495254, "the test's state",
        ["CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB)"]);

    private readonly TemporaryFolder folder = new();

    private string File_ => folder["state.db"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_was_written_is_read_and_still_there_after_opening_again()
    {
        var hash = new Hash256(Enumerable.Repeat((byte)7, 32).ToArray());
        await using (var database = Database.Open(File_, Schema))
        {
            var changed = await database.WriteAsync(sql =>
                sql.Execute("INSERT INTO item(name,data) VALUES(?1,?2)", "ärger", hash));
            Assert.Equal(1, changed);
            await database.WriteAsync(sql =>
                { sql.Execute("INSERT INTO item(name,data) VALUES(?1,?2)", "empty", Array.Empty<byte>()); });
            await database.WriteAsync(sql =>
                { sql.Execute("INSERT INTO item(name,data) VALUES(?1,?2)", SqlValue.Null, (string?)null); });
            Assert.Equal(3, await database.ReadAsync(sql => sql.Scalar("SELECT count(*) FROM item")));
        }

        await using var again = Database.Open(File_, Schema);
        var rows = await again.ReadAsync(sql => sql.Query("SELECT name,data FROM item ORDER BY id",
            row => (Name: row.TextOrNull(0), Data: row.BytesOrNull(1))));
        Assert.Equal("ärger", rows[0].Name);
        Assert.Equal(hash.ToArray(), rows[0].Data);
        Assert.Empty(rows[1].Data!);
        Assert.Null(rows[2].Data);
        Assert.Null(rows[2].Name);
    }

    [Fact]
    public async Task A_write_that_fails_is_undone_alone_and_the_others_of_its_batch_stand()
    {
        await using var database = Database.Open(File_, Schema);
        using var gate = new ManualResetEventSlim();
        var first = database.WriteAsync(_ => gate.Wait()).AsTask();
        var writes = new List<Task>();
        for (var i = 0; i < 20; i++)
        {
            var number = i;
            writes.Add(database.WriteAsync(sql =>
            {
                sql.Execute("INSERT INTO item(id,name) VALUES(?1,?2)", number, "n" + number);
                if (number == 7) sql.Execute("INSERT INTO item(id,name) VALUES(?1,?2)", 1000, "n3");
                if (number == 11) throw new InvalidDataException("mine");
            }).AsTask());
        }

        gate.Set();
        await first;
        var conflict = await Assert.ThrowsAsync<VirgaException>(() => writes[7]);
        Assert.Equal(FailureKind.Conflict, conflict.Kind);
        await Assert.ThrowsAsync<InvalidDataException>(() => writes[11]);
        await Task.WhenAll(writes.Where((_, i) => i is not 7 and not 11));
        var ids = await database.ReadAsync(sql => sql.Query("SELECT id FROM item ORDER BY id", row => row.Int(0)));
        Assert.Equal(Enumerable.Range(0, 20).Where(i => i is not 7 and not 11), ids);
    }

    [Fact]
    public async Task Writes_run_in_the_order_queued_and_many_share_a_commit()
    {
        await using var database = Database.Open(File_, Schema);
        using var gate = new ManualResetEventSlim();
        var order = new List<int>();
        var all = new List<Task> { database.WriteAsync(_ => gate.Wait()).AsTask() };
        for (var i = 0; i < 1000; i++)
        {
            var number = i;
            all.Add(database.WriteAsync(_ => order.Add(number)).AsTask());
        }

        gate.Set();
        await Task.WhenAll(all);
        Assert.Equal(Enumerable.Range(0, 1000), order);
    }

    [Fact]
    public async Task A_cancelled_write_does_not_run()
    {
        await using var database = Database.Open(File_, Schema);
        using var gate = new ManualResetEventSlim();
        using var cancel = new CancellationTokenSource();
        var first = database.WriteAsync(_ => gate.Wait()).AsTask();
        var ran = false;
        var second = database.WriteAsync(_ => { ran = true; }, cancel.Token).AsTask();
        await cancel.CancelAsync();
        gate.Set();
        await first;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.False(ran);
    }

    [Fact]
    public async Task A_full_disk_is_told_as_Full_and_writing_goes_on_when_there_is_room_again()
    {
        await using var database = Database.Open(File_, Schema);
        await database.WriteAsync(sql => { sql.Scalar("PRAGMA max_page_count=8"); });
        var large = new byte[200_000];
        var full = await Assert.ThrowsAsync<VirgaException>(async () =>
            await database.WriteAsync(sql => sql.Execute("INSERT INTO item(data) VALUES(?1)", large)));
        Assert.Equal(FailureKind.Full, full.Kind);
        Assert.Contains(File_, full.Message, StringComparison.Ordinal);
        Assert.NotNull(full.Advice);
        await database.WriteAsync(sql => { sql.Scalar("PRAGMA max_page_count=1000000"); });
        await database.WriteAsync(sql => sql.Execute("INSERT INTO item(data) VALUES(?1)", large));
        Assert.Equal(1, await database.ReadAsync(sql => sql.Scalar("SELECT count(*) FROM item")));
    }

    [Fact]
    public async Task Readers_cannot_write()
    {
        await using var database = Database.Open(File_, Schema);
        var failure = await Assert.ThrowsAsync<VirgaException>(async () =>
            await database.ReadAsync(sql => sql.Execute("INSERT INTO item(name) VALUES('x')")));
        Assert.Equal(FailureKind.ReadOnly, failure.Kind);
        Assert.Equal(0, await database.ReadAsync(sql => sql.Scalar("SELECT count(*) FROM item")));
    }

    [Fact]
    public async Task Migrations_that_are_new_run_once_and_keep_the_rows()
    {
        await using (var database = Database.Open(File_, Schema))
            await database.WriteAsync(sql => sql.Execute("INSERT INTO item(name) VALUES('kept')"));
        var newer = Schema with { Migrations = [.. Schema.Migrations,
            "ALTER TABLE item ADD COLUMN extra INTEGER NOT NULL DEFAULT 5; CREATE TABLE more(x)"] };
        for (var i = 0; i < 2; i++)
        {
            await using var database = Database.Open(File_, newer);
            Assert.Equal(5, await database.ReadAsync(sql => sql.Scalar("SELECT extra FROM item WHERE name='kept'")));
        }
    }

    [Fact]
    public async Task A_migration_that_fails_leaves_the_file_as_it_was()
    {
        await using (Database.Open(File_, Schema)) { }
        var broken = Schema with { Migrations = [.. Schema.Migrations, "CREATE TABLE more(x); CREATE TABLE item(x)"] };
        Assert.Throws<InvalidOperationException>(() => Database.Open(File_, broken));
        await using var database = Database.Open(File_, Schema);
        Assert.Equal(0,
            await database.ReadAsync(sql => sql.Scalar("SELECT count(*) FROM sqlite_master WHERE name='more'")));
    }

    [Fact]
    public async Task A_newer_schema_is_Unsupported_and_left_alone()
    {
        await using (
            Database.Open(File_, Schema with { Migrations = [.. Schema.Migrations, "CREATE TABLE more(x)"] })) { }
        var failure = Assert.Throws<VirgaException>(() => Database.Open(File_, Schema));
        Assert.Equal(FailureKind.Unsupported, failure.Kind);
        Assert.Contains("newer version", failure.Message, StringComparison.Ordinal);
        Assert.NotNull(failure.Advice);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("this is not a database at all, but a file of somebody's notes, and rather longer than sixteen bytes")]
    public void A_file_that_is_no_database_is_Corrupt_and_not_overwritten(string text)
    {
        System.IO.File.WriteAllText(File_, text);
        var failure = Assert.Throws<VirgaException>(() => Database.Open(File_, Schema));
        Assert.Equal(FailureKind.Corrupt, failure.Kind);
        Assert.Contains(File_, failure.Message, StringComparison.Ordinal);
        Assert.Contains("backup", failure.Advice, StringComparison.Ordinal);
        Assert.Equal(text, System.IO.File.ReadAllText(File_));
    }

    [Fact]
    public async Task A_database_of_another_program_is_Corrupt_and_not_touched()
    {
        await using (Database.Open(File_, Schema with { ApplicationId = 99 })) { }
        var before = await System.IO.File.ReadAllBytesAsync(File_);
        var failure = Assert.Throws<VirgaException>(() => Database.Open(File_, Schema));
        Assert.Equal(FailureKind.Corrupt, failure.Kind);
        Assert.Equal(before, await System.IO.File.ReadAllBytesAsync(File_));
    }

    [Fact]
    public async Task Damaged_pages_are_found_when_the_file_is_opened()
    {
        await using (var database = Database.Open(File_, Schema))
        {
            for (var i = 0; i < 300; i++)
            {
                var name = Encoding.UTF8.GetString(Enumerable.Repeat((byte)'a', 50).ToArray()) + i;
                await database.WriteAsync(sql =>
                    sql.Execute("INSERT INTO item(name,data) VALUES(?1,?2)", name, new byte[500]));
            }
        }

        var bytes = await System.IO.File.ReadAllBytesAsync(File_);
        for (var page = 1; page < bytes.Length / 4096; page++) bytes.AsSpan(page * 4096, 64).Fill(0xA5);
        await System.IO.File.WriteAllBytesAsync(File_, bytes);
        var failure = Assert.Throws<VirgaException>(() => Database.Open(File_, Schema));
        Assert.Equal(FailureKind.Corrupt, failure.Kind);
        Assert.Equal(bytes, await System.IO.File.ReadAllBytesAsync(File_));
    }

    [Fact]
    public async Task The_file_is_for_its_owner_only()
    {
        await using var database = Database.Open(File_, Schema);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File_));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File_ + "-wal"));
    }

    [Fact]
    public async Task What_is_committed_is_there_for_whoever_opens_what_a_killed_process_leaves()
    {
        await using var database = Database.Open(File_, Schema);
        for (var i = 0; i < 50; i++)
        {
            await database.WriteAsync(sql => sql.Execute("INSERT INTO item(name) VALUES(NULL)"));
            // What the process leaves when it dies now: its files as the system holds them, and no memory.
            var left = Directory.CreateDirectory(folder[$"left-{i}"]).FullName;
            foreach (var name in new[] { "state.db", "state.db-wal" })
            {
                await using var from = new FileStream(
                    folder[name], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                await using var to = System.IO.File.Create(Path.Combine(left, name));
                await from.CopyToAsync(to);
            }

            await using var again = Database.Open(Path.Combine(left, "state.db"), Schema);
            Assert.Equal(i + 1, await again.ReadAsync(sql => sql.Scalar("SELECT count(*) FROM item")));
        }
    }

    [Fact]
    public async Task A_database_that_is_closed_refuses_writes_and_reads()
    {
        var database = Database.Open(File_, Schema);
        await database.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await database.WriteAsync(_ => { }));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await database.ReadAsync(_ => 0));
        await database.DisposeAsync();
    }

    [Fact]
    public async Task Many_readers_beside_a_writer_each_see_whole_commits()
    {
        await using var database = Database.Open(File_, Schema);
        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < 200; i++)
            {
                await database.WriteAsync(sql =>
                {
                    sql.Execute("INSERT INTO item(name) VALUES(NULL)");
                    sql.Execute("INSERT INTO item(name) VALUES(NULL)");
                });
            }
        });
        var reading = Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            while (!writing.IsCompleted)
            {
                // Reads end on the caller's thread: without a pause, eight loops would keep the writer from the pool's
                // threads.
                await Task.Yield();
                var (a, b) = await database.ReadAsync(sql =>
                    (sql.Scalar("SELECT count(*) FROM item"), sql.Scalar("SELECT count(*) FROM item")));
                Assert.Equal(a, b);
                Assert.Equal(0, a % 2);
            }
        }));
        await Task.WhenAll([writing, .. reading]);
    }
}
