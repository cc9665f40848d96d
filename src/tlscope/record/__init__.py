"""The record protocol: fragments, reassembly and protection."""
