"""What a timeline shows, before anybody draws it: lanes with spans, marks and writes; arrows; events in words.

Whoever reads a trace makes a `Timeline` of it; whoever draws knows nothing of traces. Times are seconds of the
trace's own clock.
"""

import enum

from attrs import frozen


class Tone(enum.Enum):
    """How something is meant; the values are the classes of the style sheet, as on the status page."""

    OK = "ok"
    INFO = "info"
    SOFT = "soft"
    WARN = "warn"
    BAD = "bad"


class Kind(enum.Enum):
    """Which lane of which sort, from top to bottom; the values are what a reader may hide."""

    FAULTS = "faults"
    CLIENTS = "clients"
    GATEWAY = "gateways"
    RECORD = "record"
    CONTROLLER = "controllers"
    INSTANCE = "instances"


class Weave(enum.Enum):
    """What tells two spans of one tone apart without colour."""

    PLAIN = "plain"
    STRONG = "strong"
    HATCHED = "hatched"
    THIN = "thin"


class Shape(enum.Enum):
    """What a mark looks like, so that colour is never the only sign."""

    TICK = "tick"
    DOT = "dot"
    SPECK = "speck"
    RING = "ring"
    CROSS = "cross"
    FLAG = "flag"
    DIAMOND = "diamond"


@frozen(kw_only=True)
class Event:
    """Something that happened, in words.

    Attributes:
        number: Of its line in the trace, from 1.
        seq: The ``seq`` of that line, which `memgraph-ha sim explain TRACE --seq N` takes; None if it has none.
        at_s: When.
        who: Whom a reader should think of.
        what: One word: what sort of event this is.
        text: One sentence.
        tone: How it is meant.
        causes: Numbers of the lines that led to it, in the order of the trace.
    """

    number: int
    seq: int | None = None
    at_s: float
    who: str
    what: str
    text: str
    tone: Tone = Tone.SOFT
    causes: tuple[int, ...] = ()


@frozen(kw_only=True)
class Span:
    """A state that lasts.

    Attributes:
        row: In which row of its lane, 0 is the uppermost.
        start_s: When it begins.
        end_s: When it ends.
        label: What is written on it, if there is room.
        brief: What is written otherwise, if there is room for that.
        spills: Whether ``brief`` is written beside it where there is no room on it.
        text: What is said when somebody points at it.
        event: The number of the event that began it; None if none did.
    """

    row: int
    start_s: float
    end_s: float
    tone: Tone
    weave: Weave = Weave.PLAIN
    label: str = ""
    brief: str = ""
    spills: bool = False
    text: str = ""
    event: int | None = None


@frozen(kw_only=True)
class Mark:
    """A moment.

    Attributes:
        row: In which row of its lane.
        label: What is written beside it, if there is room.
        text: What is said when somebody points at it.
        event: The number of its event; None if it has none.
        rule_off: Whether a line through all lanes marks the moment.
    """

    row: int
    at_s: float
    shape: Shape
    tone: Tone
    label: str = ""
    text: str = ""
    event: int | None = None
    rule_off: bool = False


class Told(enum.Enum):
    """What a client knows of a write; the values are for people."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    IN_DOUBT = "in doubt"

    @property
    def tone(self) -> Tone:
        """How that is meant."""
        return {Told.ACKNOWLEDGED: Tone.OK, Told.REFUSED: Tone.WARN, Told.IN_DOUBT: Tone.SOFT}[self]


@frozen(kw_only=True)
class Write:
    """Some writes of one client that ended at one moment, in one way.

    Attributes:
        row: In which row of its lane.
        at_s: When.
        client: Whose.
        told: What the client knows.
        count: How many.
    """

    row: int
    at_s: float
    client: str
    told: Told
    count: int = 1


@frozen(kw_only=True)
class Lane:
    """One line of the picture.

    Attributes:
        id: Unique within the timeline: a controller and an instance may bear the same name.
        title: Its name, e.g. ``m0``.
        note: What else is said under the name.
        rows: The heights of its rows in pixels, from top to bottom.
    """

    id: str
    kind: Kind
    title: str
    note: str = ""
    rows: tuple[int, ...] = (24,)
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()
    writes: tuple[Write, ...] = ()


@frozen(kw_only=True)
class Arrow:
    """A command on its way: from who sent it to where it took effect.

    Attributes:
        start_s: When it was sent.
        source: Id of the lane it comes from.
        end_s: When it took effect, or its end was learnt.
        target: Id of the lane it goes to.
        text: What is said when somebody points at it.
        event: The number of the event of sending it.
    """

    start_s: float
    source: str
    end_s: float
    target: str
    tone: Tone
    text: str
    event: int | None = None


@frozen(kw_only=True)
class Turn:
    """A stretch worth a closer look: a change of MAIN, or a broken promise.

    Attributes:
        title: What happened, in a few words.
        text: One or two sentences with figures.
        start_s: Where the close-up begins.
        end_s: Where it ends.
    """

    title: str
    text: str
    tone: Tone
    start_s: float
    end_s: float


@frozen(kw_only=True)
class Timeline:
    """A whole trace, ready to be drawn.

    Attributes:
        title: What it is of.
        origin: Where it comes from: version, seed, policy, in a few words each.
        verdict: The first thing that is read.
        tone: How the verdict is meant.
        lines: What else matters at once.
        start_s: When the first line was written.
        end_s: When the last was.
        wall_s: Seconds since 1970 at time 0 of the trace's clock; None in virtual time.
        lanes: From top to bottom.
        arrows: Commands.
        turns: In order.
        events: In order of the trace.
        left_out: What was left out or drawn together, in sentences.
    """

    title: str
    origin: tuple[str, ...]
    verdict: str
    tone: Tone
    lines: tuple[str, ...]
    start_s: float
    end_s: float
    wall_s: float | None
    lanes: tuple[Lane, ...]
    arrows: tuple[Arrow, ...]
    turns: tuple[Turn, ...]
    events: tuple[Event, ...]
    left_out: tuple[str, ...] = ()
