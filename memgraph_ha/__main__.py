"""The entry point: `memgraph-ha`, and `python -m memgraph_ha` likewise."""

import signal


def main() -> None:
    """Run the command line; ctrl-c while its modules are loaded ends it as silently as any program.

    Python's own answer to SIGINT, a traceback out of some import, is put back once there is somebody to catch it. Who
    came with SIGINT ignored (``nohup``, a background job) keeps it so.
    """
    pythons = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if pythons:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from memgraph_ha.cli import main as command  # noqa: PLC0415 - this is the import that takes its time

    if pythons:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command(prog_name="memgraph-ha")


if __name__ == "__main__":
    main()
