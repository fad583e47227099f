from django.urls import path

from gateways.views import configure as views

urlpatterns = [
    path("", views.configure, name="configure"),
    path("placement/fields/", views.placement_fields, name="configure-placement-fields"),
    path("addresses/fields/", views.address_fields, name="configure-addresses-fields"),
    path("summary/check/", views.configure_check, name="configure-check"),
    path("summary/confirm/", views.configure_confirm, name="configure-confirm"),
    path("<slug:page>/", views.configure_page, name="configure-page"),
]
