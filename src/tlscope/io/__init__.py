"""Input and output: blocking sockets, asyncio, and the key log's file. Thin pumps over ``connection.py``."""
