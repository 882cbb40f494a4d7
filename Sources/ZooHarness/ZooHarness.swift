// ZooHarness
