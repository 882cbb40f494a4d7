// ZooPlanner
