from django.urls import include, path

from clusters.profiles.views import layers, profiles, variables, versions

app_name = "profiles"
version_urls = [
    path("", profiles.profile_detail, name="version"),
    path("publish/", versions.version_publish, name="version-publish"),
    path("new/", versions.version_new, name="version-new"),
    path("clone/", versions.version_clone, name="version-clone"),
    path("delete/", versions.version_delete, name="version-delete"),
    path("export/", versions.version_export, name="version-export"),
    path("compare/", versions.version_compare, name="version-compare"),
    path("layers/add/<slug:kind>/", layers.layer_add, name="layer-add"),
    path("layers/<slug:pack>/", layers.layer_change, name="layer-change"),
    path("layers/<slug:pack>/remove/", layers.layer_remove, name="layer-remove"),
    path("variables/add/", variables.variable_add, name="variable-add"),
    path("variables/<slug:name>/", variables.variable_change, name="variable-change"),
    path("variables/<slug:name>/remove/", variables.variable_remove, name="variable-remove"),
]
urlpatterns = [
    path("", profiles.profile_list, name="list"),
    path("create/", profiles.profile_create, name="create"),
    path("import/", profiles.profile_import, name="import"),
    path("<uuid:profile_id>/", profiles.profile_detail, name="detail"),
    path("<uuid:profile_id>/edit/", profiles.profile_edit, name="edit"),
    path("<uuid:profile_id>/delete/", profiles.profile_delete, name="delete"),
    path("<uuid:profile_id>/versions/<str:version>/", include(version_urls)),
]
