from django.urls import path

from gateways.views import accounts as views

app_name = "accounts"
urlpatterns = [
    path("", views.account_list, name="list"),
    path("create/", views.account_create, name="create"),
    path("<uuid:account_id>/", views.account_detail, name="detail"),
    path("<uuid:account_id>/edit/", views.account_edit, name="edit"),
    path("<uuid:account_id>/test/", views.account_test, name="test"),
    path("<uuid:account_id>/delete/", views.account_delete, name="delete"),
]
