from django.urls import path

from clusters.views import clusters as views
from clusters.views import deploy, deploy_review, exports, leaving, lists, nodes, pool_pages
from clusters.views.events import cluster_events
from clusters.views.kubeconfig import kubeconfig_download
from clusters.views.update import cluster_update

app_name = "clusters"
urlpatterns = [
    path("", lists.cluster_list, name="list"),
    path("tags/", lists.tag_suggestions, name="tags"),
    path("views/", lists.view_save, name="view-save"),
    path("views/<uuid:view_id>/delete/", lists.view_delete, name="view-delete"),
    path("export.<str:kind>", exports.cluster_export, name="export"),
    path("deploy/", deploy.deploy, name="deploy"),
    path("deploy/<uuid:draft_id>/", deploy.deploy_continue, name="deploy-continue"),
    path("deploy/<uuid:draft_id>/discard/", deploy.deploy_discard, name="deploy-discard"),
    path("deploy/<uuid:draft_id>/placement/fields/", deploy.placement_fields, name="deploy-placement-fields"),
    path("deploy/<uuid:draft_id>/review/check/", deploy_review.deploy_check, name="deploy-check"),
    path("deploy/<uuid:draft_id>/review/export/", deploy_review.deploy_export, name="deploy-export"),
    path("deploy/<uuid:draft_id>/review/deploy/", deploy_review.deploy_confirm, name="deploy-confirm"),
    path("deploy/<uuid:draft_id>/<slug:page>/", deploy.deploy_page, name="deploy-page"),
    path("<uuid:cluster_id>/", views.cluster_detail, name="detail"),
    path("<uuid:cluster_id>/nodes/", views.cluster_nodes, name="nodes"),
    path("<uuid:cluster_id>/events/", cluster_events, name="events"),
    path("<uuid:cluster_id>/events.<str:kind>", exports.event_export, name="events-export"),
    path("<uuid:cluster_id>/settings/", views.cluster_settings, name="settings"),
    path("<uuid:cluster_id>/kubeconfig/", kubeconfig_download, name="kubeconfig"),
    path("<uuid:cluster_id>/actions/", leaving.cluster_actions, name="actions"),
    path("<uuid:cluster_id>/delete/", leaving.cluster_delete, name="delete"),
    path("<uuid:cluster_id>/abort/", leaving.cluster_abort, name="abort"),
    path("<uuid:cluster_id>/force-delete/", leaving.cluster_force_delete, name="force-delete"),
    path("<uuid:cluster_id>/leftovers/", leaving.leftovers_check, name="leftovers-check"),
    path("<uuid:cluster_id>/update/", cluster_update, name="update"),
    path("<uuid:cluster_id>/pools/add/", pool_pages.pool_add, name="pool-add"),
    path("<uuid:cluster_id>/pools/<uuid:pool_id>/edit/", pool_pages.pool_edit, name="pool-edit"),
    path("<uuid:cluster_id>/pools/<uuid:pool_id>/resize/", nodes.pool_resize, name="pool-resize"),
    path("<uuid:cluster_id>/pools/<uuid:pool_id>/delete/", nodes.pool_delete, name="pool-delete"),
    path("<uuid:cluster_id>/nodes/<uuid:machine_id>/replace/", nodes.node_replace, name="node-replace"),
    path("<uuid:cluster_id>/change/stop/", nodes.change_stop, name="change-stop"),
    path("<uuid:cluster_id>/repair/", nodes.repair_set, name="repair"),
    path("<uuid:cluster_id>/steps/<uuid:step_id>/retry/", views.step_retry, name="step-retry"),
]
