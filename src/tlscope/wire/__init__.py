"""How TLS looks as bytes: pure encoders and decoders that know no state."""
