"""Make a local certificate authority, and have it issue certificates for development.

Its certificates are accepted by strict verifiers, and its key stays in its directory, readable by you alone. Whoever has
that key can be any server to everybody who trusts the authority: don't share it, and don't trust it more widely than
needed.

Examples:

    tlscope ca init my-ca
    tlscope ca issue my-ca localhost 127.0.0.1 ::1
    tlscope ca issue my-ca alice --client
"""

from __future__ import annotations
