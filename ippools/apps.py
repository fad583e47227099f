from django.apps import AppConfig


class IPPoolsConfig(AppConfig):
    name = "ippools"
