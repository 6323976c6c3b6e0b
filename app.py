"""The WSGI entry point: `gunicorn -c python:hermes.gunicorn_conf app:app`."""

from hermes.app import create_app

app = create_app()
