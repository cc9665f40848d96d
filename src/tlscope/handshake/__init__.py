"""The handshake flows, each a generator in the order of the RFC's figure."""
