"""The parts of the cluster, one module each; `tests.cluster.flow` says in which order they come."""
