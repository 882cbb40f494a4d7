// ZooRecords
