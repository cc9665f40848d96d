"""The only room that touches cryptographic primitives, each a frozen row in a table."""
