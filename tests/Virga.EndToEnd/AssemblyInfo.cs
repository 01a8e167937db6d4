// Each of these tests runs several processes, some of them servers: one after the other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
