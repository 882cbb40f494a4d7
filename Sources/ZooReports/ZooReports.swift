// ZooReports
