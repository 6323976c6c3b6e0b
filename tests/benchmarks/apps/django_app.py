"""django-eventstream as its documentation sets it up under ASGI: no storage, no database, no middleware."""

from __future__ import annotations

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

settings.configure(
    SECRET_KEY="of no use here",
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["django_eventstream"],
    LOGGING_CONFIG=None,
    ROOT_URLCONF=__name__,
)
application = get_asgi_application()

from django_eventstream import send_event  # noqa: E402 - it reads the settings when it is imported


async def publish(request: HttpRequest) -> HttpResponse:
    """`POST /publish?channel=` with the data of one event, JSON already.

    Without a storage `send_event` waits for nothing, so it needs no thread.
    """
    send_event(request.GET["channel"], "message", request.body.decode(), json_encode=False)
    return HttpResponse(status=202)


urlpatterns = [path("stream", include("django_eventstream.urls")), path("publish", publish)]
