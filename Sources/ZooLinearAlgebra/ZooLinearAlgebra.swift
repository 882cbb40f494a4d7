// ZooLinearAlgebra
