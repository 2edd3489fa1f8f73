module memgraph-ha/tools/kube/pause

go 1.24.0
