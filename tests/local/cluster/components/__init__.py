"""The parts of the cluster, one module each; `tests.local.cluster.flow` says in which order they come."""
