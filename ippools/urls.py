from django.urls import path

from ippools.views import pools, sweep

app_name = "ippools"
urlpatterns = [
    path("", pools.pool_list, name="list"),
    path("create/", pools.pool_create, name="create"),
    path("<uuid:pool_id>/", pools.pool_detail, name="detail"),
    path("<uuid:pool_id>/edit/", pools.pool_edit, name="edit"),
    path("<uuid:pool_id>/delete/", pools.pool_delete, name="delete"),
    path("<uuid:pool_id>/sweep/", sweep.pool_sweep, name="sweep"),
    path("<uuid:pool_id>/sweep/release/", sweep.orphans_release, name="orphans-release"),
    path("<uuid:pool_id>/sweep/exclude/", sweep.strays_exclude, name="strays-exclude"),
]
