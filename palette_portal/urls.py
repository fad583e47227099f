from django.contrib import admin
from django.urls import include, path

from palette_portal import views

urlpatterns = [
    path("", views.home, name="home"),
    path("health/live", views.health_live, name="health-live"),
    path("health/ready", views.health_ready, name="health-ready"),
    path("account/", include("allauth.account.urls")),
    path("settings/", include("palette_portal.tenants.urls")),
    path("gateways/", include("gateways.urls")),
    path("clusters/", include("clusters.urls")),
    path("v1/", include("gateways.api_urls")),
    path("django-admin/", admin.site.urls),
]
