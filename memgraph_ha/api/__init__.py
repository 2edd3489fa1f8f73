"""The HTTP API: what operators, hooks, monitors and browsers see of a controller, and what they may ask of it.

It knows the controller only as a `Control`: frozen snapshots to read, and a few things to ask for. Nothing here
decides anything.
"""
