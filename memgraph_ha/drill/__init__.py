"""The drill: writers that note every answer, faults that are real, and a ledger that is checked at the end.

It tests a cluster from outside, as a client and an ill-wisher: it writes through the gateway, kills processes by their
pids, and reads back from every instance directly. Nothing here is told anything by the controller but through the
record's file, which is read only.
"""
