from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    name = "palette_portal.orchestration"
    label = "orchestration"
