from django.urls import include, path

from gateways.views import gateways as views
from gateways.views.life import gateway_delete, gateway_remove_anyway, gateway_rename, gateway_reset
from gateways.views.resize import gateway_resize
from gateways.views.upgrade import gateway_roll_back, gateway_upgrade

app_name = "gateways"
urlpatterns = [
    path("", views.gateway_list, name="list"),
    path("create/vmware/", views.gateway_create, name="create"),
    path("installer-log-script/", views.installer_log_script, name="installer-log-script"),
    path("<uuid:gateway_id>/", views.gateway_detail, name="detail"),
    path("<uuid:gateway_id>/install/", views.gateway_install, name="install"),
    path("<uuid:gateway_id>/install/arrival/", views.installer_arrival, name="installer-arrival"),
    path("<uuid:gateway_id>/install/pairing-code/", views.pairing_code_regenerate, name="pairing-code"),
    path(
        "<uuid:gateway_id>/install/properties/", views.installer_properties_check, name="installer-properties"
    ),
    path("<uuid:gateway_id>/rename/", gateway_rename, name="rename"),
    path("<uuid:gateway_id>/upgrade/", gateway_upgrade, name="upgrade"),
    path("<uuid:gateway_id>/roll-back/", gateway_roll_back, name="roll-back"),
    path("<uuid:gateway_id>/reset/", gateway_reset, name="reset"),
    path("<uuid:gateway_id>/resize/", gateway_resize, name="resize"),
    path("<uuid:gateway_id>/delete/", gateway_delete, name="delete"),
    path("<uuid:gateway_id>/delete/anyway/", gateway_remove_anyway, name="remove-anyway"),
    path("<uuid:gateway_id>/configure/", include("gateways.configure_urls")),
]
