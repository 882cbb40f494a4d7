// ZooMemory
