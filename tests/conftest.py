"""What all tests share: the Hypothesis profiles."""

import os
import signal

from hypothesis import HealthCheck, settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script: the programs under test would inherit that, and no ctrl-c would reach them.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "dev",
    deadline=None,  # two busy cores: the time of one example says nothing
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "ci",
    parent=settings.get_profile("dev"),
    derandomize=True,  # the same examples on every run: red means that the change is red
    max_examples=200,
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
