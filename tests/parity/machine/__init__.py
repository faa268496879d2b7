"""Parity by machine: random exchanges through the embedded proxy and the real Envoy."""
