"""A world in virtual time: instances (the fake's own model), their platform, record, lease, gateways and clients."""
