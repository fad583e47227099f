from django.urls import path

from palette_portal.tenants import audit_views, views

app_name = "tenants"
urlpatterns = [
    path("scope/", views.scope_switch, name="scope-switch"),
    path("projects/", views.projects, name="projects"),
    path("projects/new/", views.project_create, name="project-create"),
    path("projects/<uuid:pk>/", views.project_rename, name="project-rename"),
    path("users/", views.users, name="users"),
    path("users/new/", views.user_invite, name="user-invite"),
    path("users/<int:pk>/", views.user_roles, name="user-roles"),
    path("users/<int:pk>/deactivate/", views.user_deactivate, name="user-deactivate"),
    path("users/<int:pk>/activate/", views.user_activate, name="user-activate"),
    path("audit/", audit_views.audit_log, name="audit"),
]
