"use strict";
// Draws the page anew each second from the server's own drawing: there is one renderer, so both always agree.
(() => {
  const stale = document.getElementById("stale");
  let heard = Date.now();
  let busy = false;

  const keepOpen = (from, to) => {
    for (const old of from.querySelectorAll("details[open][id]")) {
      const same = to.querySelector(`#${CSS.escape(old.id)}`);
      if (same) same.open = true;
    }
  };

  const reading = () => !getSelection().isCollapsed; // somebody marks a command to copy it

  const turn = async () => {
    if (busy || document.hidden) return;
    busy = true;
    try {
      const answer = await fetch("/", { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      heard = Date.now();
      if (!reading()) {
        for (const part of ["header", "main", "footer"]) {
          const old = document.querySelector(part);
          const now = fresh.querySelector(part);
          if (!now) throw new Error("no page");
          keepOpen(old, now);
          old.replaceWith(document.adoptNode(now));
        }
        document.title = fresh.title;
      }
      stale.className = "";
    } catch {
      const age = Math.round((Date.now() - heard) / 1000);
      stale.textContent = `This controller has not answered for ${age} s: what you see is old. Another one may lead.`;
      if (age >= 3) stale.className = "on";
    } finally {
      busy = false;
    }
  };

  setInterval(turn, 1000);
  document.addEventListener("visibilitychange", turn);
})();
