from django.urls import path

from gateways.views import accounts as views
from gateways.views import orphans, prerequisites

app_name = "accounts"
urlpatterns = [
    path("", views.account_list, name="list"),
    path("create/", views.account_create, name="create"),
    path("prerequisites/", prerequisites.prerequisites, name="prerequisites"),
    path("reports/<uuid:report_id>/", prerequisites.report_page, name="report"),
    path("reports/<uuid:report_id>/share/", prerequisites.report_share, name="report-share"),
    path("reports/<uuid:report_id>/revoke/", prerequisites.report_revoke, name="report-revoke"),
    path("reports/<uuid:report_id>/<slug:kind>/", prerequisites.report_export, name="report-export"),
    path("shared/<str:token>/", prerequisites.shared_report, name="shared-report"),
    path("shared/<str:token>/<slug:kind>/", prerequisites.shared_export, name="shared-export"),
    path("<uuid:account_id>/", views.account_detail, name="detail"),
    path("<uuid:account_id>/edit/", views.account_edit, name="edit"),
    path("<uuid:account_id>/test/", views.account_test, name="test"),
    path("<uuid:account_id>/check/", prerequisites.account_check, name="check"),
    path("<uuid:account_id>/orphans/", orphans.account_orphans, name="orphans"),
    path("<uuid:account_id>/delete/", views.account_delete, name="delete"),
]
