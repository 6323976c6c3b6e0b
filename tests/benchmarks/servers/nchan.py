"""Nchan: a C module of nginx, as Debian packages it."""

from __future__ import annotations

import grp
import os
import pwd
import resource
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import psutil

from tests.benchmarks.servers.base import Unavailable, http_request
from tests.benchmarks.servers.command import CommandServer
from tests.support.ports import LOOPBACK

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
MOST_FILES = 20_000  # nginx allots memory for each connection that it may have, open or not

# The locations are those of Nchan's own introduction: an exact path and an argument, since a regular expression would
# cost more than the rest. A message is stored as long as Hermes' are, so that a reader that lags behind loses none.
CONFIGURATION = """
load_module {module};
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log stderr warn;

events {{
    use epoll;
    worker_connections {files};
    multi_accept on;
}}

http {{
    access_log off;
    server_tokens off;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_buffer_size 128k;
    client_body_in_single_buffer on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    nchan_shared_memory_size 256M;

    server {{
        listen {host}:{port} backlog=4096;

        location = /stream {{
            nchan_subscriber eventsource;
            nchan_channel_id $arg_channel;
            nchan_subscriber_first_message newest;
        }}
        location = /publish {{
            nchan_publisher http;
            nchan_channel_id $arg_channel;
            nchan_message_buffer_length 1000;
        }}
    }}
}}
"""


class Nchan(CommandServer):
    """nginx with one worker; it stores messages in shared memory, asks nobody for credentials, and logs no request."""

    name = "nchan"

    def command(self) -> Sequence[str]:
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if nginx is None or not MODULE.exists():
            raise Unavailable("nginx with Nchan is not installed: Debian's packages nginx and libnginx-mod-nchan")
        configuration = self.folder / "nginx.conf"
        configuration.write_text(self._configuration())
        return [nginx, "-p", str(self.folder), "-e", "stderr", "-c", str(configuration)]

    def pids(self) -> Sequence[int]:
        """Its worker; the master only waits."""
        return [child.pid for child in psutil.Process(*super().pids()).children()]

    def stream_path(self, channel: str) -> str:
        return f"/stream?channel={quote(channel)}"

    def requests(self, channel: str, data: Sequence[str]) -> Sequence[bytes]:
        path = f"/publish?channel={quote(channel)}"
        return [http_request(path, text.encode()) for text in data]

    def _configuration(self) -> str:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
        return CONFIGURATION.format(
            module=MODULE, user=_user(), files=files, folder=self.folder, host=LOOPBACK, port=self.port
        )


def _user() -> str:
    """As root, a worker would become another user, who could not write to the folder; others cannot change users."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};"
