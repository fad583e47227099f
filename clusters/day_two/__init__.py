"""Pages that change a cluster which runs: node pools, nodes, and the version of its profile."""
