"""A faithful stand-in for a Memgraph server: a pure model and an executable around it.

The model (`instance`, `commit`, `registration`, `roles`, `replica`, `recovery`, `startup`, ...) knows
no clock and no socket: whatever takes time or talks to a peer is a generator that yields the small
values of `effects` and is resumed with their outcomes.  The same model therefore runs inside the
executable `memgraph-ha-fake` (`driver`, real TCP and real files) and in virtual time (`virtual`).

What it does is what a real server was seen to do: "transcripts Q5" in a docstring names a question of
the recorded transcripts of Memgraph 3.6.1, "semantics 3.4" a section of the source reading.
"""
