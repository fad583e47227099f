from django.urls import path

from clusters.views import clusters as views
from clusters.views import exports, lists
from clusters.views.kubeconfig import kubeconfig_download

app_name = "clusters"
urlpatterns = [
    path("", lists.cluster_list, name="list"),
    path("tags/", lists.tag_suggestions, name="tags"),
    path("views/", lists.view_save, name="view-save"),
    path("views/<uuid:view_id>/delete/", lists.view_delete, name="view-delete"),
    path("export.<str:kind>", exports.cluster_export, name="export"),
    path("<uuid:cluster_id>/", views.cluster_detail, name="detail"),
    path("<uuid:cluster_id>/nodes/", views.cluster_nodes, name="nodes"),
    path("<uuid:cluster_id>/events/", views.cluster_events, name="events"),
    path("<uuid:cluster_id>/settings/", views.cluster_settings, name="settings"),
    path("<uuid:cluster_id>/kubeconfig/", kubeconfig_download, name="kubeconfig"),
    path("<uuid:cluster_id>/steps/<uuid:step_id>/retry/", views.step_retry, name="step-retry"),
]
