"""Every page in order, from the name to the cluster's page."""

from clusters.models import Cluster
from tests.integration.deploy.walk import DeployWalk, text_of


def test_walk_from_the_first_page_to_the_cluster(walk: DeployWalk) -> None:
    walk.to_review()

    page = text_of(walk.get("review"))
    report = text_of(walk.report())
    response = walk.confirm()

    assert response.status_code == 302, report + text_of(response)
    cluster = Cluster.objects.get()
    assert "payments-prod-cp-1" in page and "payments-prod-worker-pool-2" in page
    assert "10.10.183.20" in page
    assert "failed" not in report
    assert response.url == f"/clusters/{cluster.pk}/", text_of(response)
    assert cluster.name == "payments-prod" and cluster.project == walk.project
