using Virga.Agent.Control;
using Virga.Agent.Transfers;

namespace Virga.Agent.Tests;

public sealed class TransferQueueTests
{
    private readonly List<string> asked = [];

    [Fact]
    public async Task So_many_run_at_once_the_higher_priority_first_then_who_came_first()
    {
        var queue = new TransferQueue(1);
        var (first, _) = Enter(queue, "first");
        Assert.True(first.Turn.Task.IsCompletedSuccessfully);
        var (low, lowTurn) = Enter(queue, "low", TransferPriority.Low);
        var (second, secondTurn) = Enter(queue, "second");
        var (third, thirdTurn) = Enter(queue, "third");
        Assert.Equal((0, 1, 2), (queue.Ahead(second), queue.Ahead(third), queue.Ahead(low)));
        queue.Leave(first);
        await secondTurn;
        queue.Leave(second);
        await thirdTurn;
        Assert.False(lowTurn.IsCompleted);
        queue.Leave(third);
        await lowTurn;
        Assert.Empty(asked);
    }

    [Fact]
    public async Task One_of_higher_priority_makes_the_newest_of_the_lowest_give_way_once()
    {
        var queue = new TransferQueue(3);
        Enter(queue, "normal");
        var (old, _) = Enter(queue, "old low", TransferPriority.Low);
        var (young, _) = Enter(queue, "young low", TransferPriority.Low);
        var (_, highTurn) = Enter(queue, "high", TransferPriority.High);
        Assert.Equal(["young low"], asked);
        Assert.False(highTurn.IsCompleted);
        Enter(queue, "another high", TransferPriority.High);
        Assert.Equal(["young low", "old low"], asked);
        queue.Leave(young);
        await highTurn;
        // It comes back to its place, before those of its kind that came later.
        var later = Enter(queue, "late low", TransferPriority.Low).Ticket;
        var again = queue.EnterAsync(young, CancellationToken.None);
        Assert.Equal((1, 2), (queue.Ahead(young), queue.Ahead(later)));
        queue.Leave(old);
        Assert.False(again.IsCompleted);
        Assert.Equal(2, asked.Count);
    }

    [Fact]
    public void Equals_do_not_make_each_other_give_way()
    {
        var queue = new TransferQueue(2);
        foreach (var name in new[] { "a", "b", "c", "d" }) Enter(queue, name);
        Assert.Empty(asked);
    }

    [Fact]
    public async Task While_it_is_held_nothing_runs_and_what_ran_gives_way()
    {
        var queue = new TransferQueue(2);
        var (a, _) = Enter(queue, "a");
        var (b, _) = Enter(queue, "b");
        queue.Set(2, held: true);
        Assert.Equal(["b", "a"], asked);
        queue.Leave(a);
        queue.Leave(b);
        var (_, turn) = Enter(queue, "c", TransferPriority.High);
        Assert.False(turn.IsCompleted);
        queue.Set(2, held: false);
        await turn;
    }

    [Fact]
    public async Task Fewer_at_once_make_the_last_give_way_and_more_let_others_run()
    {
        var queue = new TransferQueue(3);
        foreach (var name in new[] { "a", "b", "c" }) Enter(queue, name);
        queue.Set(1, held: false);
        Assert.Equal(["c", "b"], asked);
        var (_, turn) = Enter(queue, "d");
        queue.Set(4, held: false);
        await turn;
    }

    [Fact]
    public async Task Who_is_raised_goes_first_and_who_leaves_while_waiting_is_forgotten()
    {
        var queue = new TransferQueue(1);
        var (running, _) = Enter(queue, "running", TransferPriority.High);
        using var stop = new CancellationTokenSource();
        var gone = queue.EnterAsync(new QueueTicket("gone", TransferPriority.High, () => { }), stop.Token);
        var (_, turn) = Enter(queue, "b");
        var (raised, raisedTurn) = Enter(queue, "raised", TransferPriority.Low);
        queue.Change(raised, TransferPriority.High);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        queue.Leave(running);
        await raisedTurn;
        Assert.False(turn.IsCompleted);
    }

    private (QueueTicket Ticket, Task Turn) Enter(
        TransferQueue queue, string name, TransferPriority priority = TransferPriority.Normal)
    {
        var ticket = new QueueTicket(name, priority, () => asked.Add(name));
        return (ticket, queue.EnterAsync(ticket, CancellationToken.None));
    }
}
