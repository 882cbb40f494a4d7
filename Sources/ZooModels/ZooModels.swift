// ZooModels
