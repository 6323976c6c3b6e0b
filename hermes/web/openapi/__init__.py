"""The HTTP API described as OpenAPI 3.1: a module for each part of the API, put together by ``document.py``.

Each module lists its calls by method and address, as plain data: what goes in, what comes out. Who may make a call and what it
does, its view says itself; numbers are those of the code that holds them. A test compares all of it with the routes.
"""
