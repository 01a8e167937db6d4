using Virga.EndToEnd.Harness;

// Each of these tests runs several processes, some of them servers, and waits for them half of the time: two at once.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
[assembly: TestCollectionOrderer("Virga.EndToEnd.Harness." + nameof(LongestFirst), "Virga.EndToEnd")]
