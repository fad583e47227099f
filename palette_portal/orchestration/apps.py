from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out


class OrchestrationConfig(AppConfig):
    name = "palette_portal.orchestration"
    label = "orchestration"

    def ready(self) -> None:
        from palette_portal.orchestration.stream.visitors import end_streams_of_session

        user_logged_out.connect(end_streams_of_session, dispatch_uid="end_streams_of_session")
