"""Saved runs over one port: an HTTP API for programs, and a studio for people."""
