"""What can be wrong with the machine or the wish, said so that a person can put it right."""


class ClusterError(Exception):
    """The cluster cannot be started, stopped or built; the message names what is wrong and what to do."""
