"""Provoke every known way for TLS to fail, and see how both sides explain it.

Each case of the lab is a failure that people meet: an expired certificate, a missing intermediate, a client certificate
that the server does not trust. It runs with certificates made for it on the spot, over the loopback interface.
docs/failures.md has them all.

Examples:

    tlscope lab list
    tlscope lab run wrong-host
    tlscope lab serve all
    tlscope lab client client-cert-expired 127.0.0.1:8443
"""

from __future__ import annotations
