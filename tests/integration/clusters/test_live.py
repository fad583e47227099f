import pytest

from clusters.live import ClusterChannel
from tests.factories import amelia, make_cluster

pytestmark = pytest.mark.django_db


def test_stream_shares_a_rendering_whatever_else_is_in_the_query() -> None:
    user, cluster = amelia(), make_cluster()
    path = {"cluster_id": str(cluster.pk)}
    queries = [{}, {"tab": "overview"}, {"tab": "no-such-tab"}, {"tab": "x" * 500, "more": "y"}]

    opened = [ClusterChannel().open(user, path, query) for query in queries]

    assert len({subscription.key for subscription in opened if subscription}) == 1


def test_stream_of_a_very_long_search_text_takes_its_beginning() -> None:
    user, cluster = amelia(), make_cluster()
    path = {"cluster_id": str(cluster.pk)}

    long, longer = (
        ClusterChannel().open(user, path, {"tab": "events", "q": "x" * length}) for length in (100, 5000)
    )

    assert long and longer
    assert long.key == longer.key
