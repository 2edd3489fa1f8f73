# noqa: INP001 - it runs alone, in Memgraph's image
"""The preStop hook of an instance: the controllers take its duties over, and only then is Memgraph told to end.

It runs in Memgraph's own image, with nothing but Python's standard library (3.8 or newer; the official images have
it). What it prints is seen only if it fails: kubelet puts it into the event FailedPreStopHook. Kubelet goes on with
the stop whatever the exit code is.

It asks by `POST /prestop-hook/POD`, a long poll. A leader that freezes would keep it for ever, so it looks every few
seconds whether the same controller still leads, and asks the next one if not. When nobody leads for a while it gives
up: then read/write is shut, and there is nobody to hand anything over to (the release may be being removed).

Environment: PRESTOP_URL (of the controllers' Service), POD_NAME, PRESTOP_TIMEOUT_SECONDS (longest time in all),
PRESTOP_UNANSWERED_SECONDS (longest time in which nobody leads), PRESTOP_USER, PRESTOP_PASSWORD.
"""

import base64
import http.client
import json
import math
import os
import select
import sys
import time
from urllib.parse import quote, urlsplit

CONNECT_S = 3.0
"""Longest time for a connection and for a short question, seconds."""
LOOK_EVERY_S = 3.0
"""How often it is looked whether the same controller still leads, seconds."""
PAUSE_S = 0.5
"""Between two attempts, seconds."""


class Broken(Exception):  # noqa: N818 - it is no error of ours: the next attempt may succeed
    """This attempt gave no answer that counts; the text says why."""


def leader(service: "tuple[str, int]") -> str:
    """Ask who leads.

    Args:
        service: Host and port of the controllers' Service.

    Returns:
        The identity of the controller that answered, which is the leader.

    Raises:
        Broken: Nobody answered, or who did does not lead.
    """
    connection = http.client.HTTPConnection(*service, timeout=CONNECT_S)
    try:
        connection.request("GET", "/api/v1/leadership")
        found = json.loads(connection.getresponse().read())
        if not found["i_am_leader"]:
            raise Broken("no controller leads")
        return str(found["my_identity"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise Broken(f"the controllers at {service[0]}:{service[1]} do not answer ({error})") from None
    finally:
        connection.close()


def ask(
    service: "tuple[str, int]", path: str, headers: "dict[str, str]", asked: str, until_s: float
) -> "tuple[int, str]":
    """Ask once, and wait for the answer for as long as the same controller leads.

    Args:
        service: Host and port of the controllers' Service.
        path: Of the hook.
        headers: With the login.
        asked: Who leads.
        until_s: When to end, on the monotonic clock.

    Returns:
        Status and body of the answer.

    Raises:
        Broken: The connection broke, another controller leads, or it is too late.
    """
    connection = http.client.HTTPConnection(*service, timeout=CONNECT_S)
    try:
        connection.request("POST", path, headers=headers)
        while not select.select([connection.sock], [], [], LOOK_EVERY_S)[0]:
            if time.monotonic() > until_s:
                raise Broken("it took too long")
            if leader(service) != asked:
                raise Broken("another controller leads now")
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"the connection to the leader broke ({error})") from None
    finally:
        connection.close()


def main() -> int:
    """Ask until the instance may stop; returns the exit code."""
    place = urlsplit(os.environ["PRESTOP_URL"])
    service = (place.hostname or "", place.port or 80)
    login = "{PRESTOP_USER}:{PRESTOP_PASSWORD}".format_map(os.environ)
    headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode(), "Content-Length": "0"}
    path = "/prestop-hook/" + quote(os.environ["POD_NAME"], safe="")
    patience_s = float(os.environ["PRESTOP_UNANSWERED_SECONDS"])
    led_s = time.monotonic()
    until_s = led_s + float(os.environ["PRESTOP_TIMEOUT_SECONDS"])
    while True:
        try:
            asked = leader(service)
            led_s = math.inf  # somebody leads, for as long as it answers the look in between
            status, text = ask(service, path, headers, asked, until_s)
        except Broken as error:
            why = str(error)
        else:
            if status == http.HTTPStatus.OK:
                return 0
            why = f"answer {status}: {text}"
            if status < http.HTTPStatus.INTERNAL_SERVER_ERROR:  # a refusal: asking again changes nothing
                break
        now_s = time.monotonic()
        led_s = min(led_s, now_s)
        if now_s - led_s > patience_s or now_s > until_s:
            break
        time.sleep(PAUSE_S)
    sys.stderr.write(f"the duties of {os.environ['POD_NAME']} were not handed over: {why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
