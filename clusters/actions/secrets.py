from clusters.models import Cluster, ClusterSecrets, NodeInstruction


def forget_secrets(cluster: Cluster) -> None:
    """Of a cluster that is gone: its keys, and what its nodes were told, join tokens among it."""
    ClusterSecrets.objects.filter(cluster=cluster).delete()
    NodeInstruction.objects.filter(cluster=cluster).delete()
