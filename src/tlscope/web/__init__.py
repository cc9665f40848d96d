"""What a web application is told of its client's TLS, in ASGI's and in WSGI's terms, and the answer to who is refused.

``tlscope.uvicorn``, ``tlscope.hypercorn`` and ``tlscope.gunicorn`` put it under their servers.
"""
