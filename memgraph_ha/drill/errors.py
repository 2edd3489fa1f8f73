"""The one way in which a drill fails."""


class DrillError(Exception):
    """The drill cannot go on: names what was waited for or tried, what was seen instead, and the way out."""
