// Much of it waits: for servers, for a fake's delays, for others' clients that pause between tries.
[assembly: CollectionBehavior(MaxParallelThreads = 3)]
