"""The configuration of the web server: ``gunicorn -c python:hermes.gunicorn_conf app:app``."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - nothing may be imported before it is patched
import sys  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

from hermes.banner import leave_address, print_banner  # noqa: E402
from hermes.errors import HermesError, SettingsError, StoreError  # noqa: E402
from hermes.observe.logs import secrets_of  # noqa: E402
from hermes.observe.redaction import Redactor  # noqa: E402
from hermes.observe.server_log import keep_secrets_out  # noqa: E402
from hermes.settings import load_settings  # noqa: E402
from hermes.streaming.files import raise_file_limit, streams_that_fit  # noqa: E402


def _refuse(error: HermesError) -> NoReturn:
    print(f"hermes: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
    raise SystemExit(1) from None


try:
    _settings = load_settings()
except SettingsError as _error:
    _refuse(_error)

raise_file_limit()
keep_secrets_out(Redactor(secrets_of(_settings)))

bind = _settings.bind
workers = _settings.workers
worker_class = "hermes.streaming.worker.HermesWorker"
worker_connections = min(_settings.max_connections, streams_that_fit()) + 100
"""Above Hermes' own limit, so that health checks are answered while every slot for a stream is taken."""
backlog = 4096
timeout = 30
graceful_timeout = _settings.graceful_timeout
keepalive = 10
"""Also the only limit on how long request headers may take."""
max_requests = 0
forwarder_headers = ""
"""No header says where in our addresses we are: by ``SCRIPT_NAME`` a client would get past a proxy's rules for paths."""
if _settings.trusted_proxies:
    forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "*")  # they say by which scheme the browser came
control_socket_disable = True
loglevel = "debug" if _settings.debug else "warning"
preload_app = False


def when_ready(_server: Any) -> None:
    """Say where Hermes is and how to get in."""
    try:
        print_banner(_settings)
        leave_address(_settings)
    except (SettingsError, StoreError) as error:
        _refuse(error)


def post_worker_init(worker: Any) -> None:
    """Start the process's runtime before it accepts."""
    worker.start_runtime()


def worker_exit(_server: Any, worker: Any) -> None:
    """Let go of the store."""
    runtime = getattr(worker, "runtime", None)
    if runtime is not None:
        runtime.close()
