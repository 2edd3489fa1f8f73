"use strict";
// Lays the drawn timeline out anew for another window of time or fewer lanes, and walks the causes of an event.
// Without it everything is there and readable: this only moves what the page already holds.
(() => {
  const page = document.documentElement;
  const svg = document.querySelector("#whole svg.timeline");
  const why = document.getElementById("why");
  const rows = new Map([...document.querySelectorAll("#events tbody tr")].map((row) => [row.id, row]));
  const across = svg.querySelector(".across");
  const plots = [across, ...svg.querySelectorAll(".plot")];
  const axis = svg.querySelector(".axis");
  const lanes = [...svg.querySelectorAll(".lane")];
  const placed = plots.flatMap((plot) => [...plot.querySelectorAll("[data-t]")]);
  const first = Number(svg.dataset.start);
  const last = Number(svg.dataset.end);
  const width = across.width.baseVal.value;
  const LETTER = Number(svg.dataset.letter);
  const LEAST = 0.02; // seconds: closer than this there is nothing to see
  let start = first;
  let end = last;
  page.classList.add("live");

  const x = (seconds) => ((seconds - start) / (end - start)) * width;
  const links = [...svg.querySelectorAll("a")];
  const rowOf = (link) => link.getAttribute("href").slice(1);

  // --- where things are

  const fitting = (text, room) =>
    [text.dataset.full, text.dataset.brief].find((each) => each && each.length * LETTER + 8 <= room) || "";

  const put = (node) => {
    const from = Number(node.dataset.t);
    const left = x(from);
    if (node.dataset.from) return; // arrows follow the lanes
    if (node.dataset.e === undefined) {
      node.setAttribute("transform", `translate(${left} ${node.dataset.y})`);
      return;
    }
    const right = x(Number(node.dataset.e));
    node.setAttribute("x", left);
    node.setAttribute("width", Math.max(1, right - left));
    const text = node.querySelector("text");
    if (!text) return;
    const said = fitting(text, Math.min(width, right) - Math.max(0, left));
    const until = node.dataset.until;
    const after = until === undefined ? Infinity : x(Number(until)) - right;
    const spills = !said && node.hasAttribute("overflow") && (text.dataset.brief.length * LETTER + 8 <= after);
    text.textContent = spills ? text.dataset.brief : said;
    text.setAttribute("x", spills ? Math.max(1, right - left) + 5 : Math.max(0, -left) + 6);
  };

  const wide = (text) => (text ? text.textContent.length * LETTER + 8 : 8);
  const BESIDE = 11;
  const thin = (plot) => {
    const rows = new Map(); // the marks in the window, row by row
    for (const mark of plot.querySelectorAll(".mark")) {
      const left = x(Number(mark.dataset.t));
      if (left < 0 || left > width) continue;
      if (!rows.has(mark.dataset.row)) rows.set(mark.dataset.row, []);
      rows.get(mark.dataset.row).push({ left, text: mark.querySelector("text") });
    }
    for (const marks of rows.values())
      marks.forEach(({ left, text }, index) => {
        if (!text) return;
        const [next, before] = [marks[index + 1], marks[index - 1]];
        const room = (next ? next.left : width) - left - BESIDE;
        const back = left - (before ? before.left + BESIDE + wide(before.text) : 0) - BESIDE;
        const side = wide(text) <= room ? "right" : !next && wide(text) <= back ? "left" : "tight";
        text.setAttribute("class", side);
        text.setAttribute("x", side === "left" ? -BESIDE : BESIDE);
      });
  };

  const tops = new Map();
  const draw = () => {
    for (const node of placed) put(node);
    for (const plot of plots) thin(plot);
    for (const arrow of across.querySelectorAll(".arrow")) {
      const { from, to, t, e, out } = arrow.dataset;
      const [a, b] = [tops.get(from), tops.get(to)];
      arrow.setAttribute("visibility", a === undefined || b === undefined ? "hidden" : "visible");
      if (a !== undefined && b !== undefined)
        arrow.setAttribute("d", `M${x(Number(t))} ${a + Number(out)} L${x(Number(e))} ${b + Number(arrow.dataset.in)}`);
    }
    ticks();
    document.getElementById("window").textContent = `${start.toFixed(3)} s to ${end.toFixed(3)} s`;
  };

  const stack = () => {
    let top = Number(svg.dataset.axis);
    tops.clear();
    for (const lane of lanes) {
      const off = hidden.has(lane.dataset.kind);
      lane.setAttribute("display", off ? "none" : "inline");
      if (off) continue;
      tops.set(lane.dataset.lane, top);
      lane.setAttribute("transform", `translate(0 ${top})`);
      top += Number(lane.dataset.height);
    }
    svg.setAttribute("viewBox", `0 0 ${svg.viewBox.baseVal.width} ${top + 1}`);
    svg.setAttribute("height", top + 1);
    draw();
  };

  const ticks = () => {
    const least = ((end - start) / width) * 90;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = least > 15
      ? [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200].find((each) => each >= least) ?? 86400
      : power * [1, 2, 5, 10].find((each) => each * power >= least * (1 - 1e-9));
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const pattern = axis.querySelector(".at");
    const fresh = [];
    for (let number = Math.ceil(start / step - 1e-9); number * step <= end + 1e-9; number += 1) {
      const tick = pattern.cloneNode(true);
      const at = number * step;
      const whole = Math.round(at);
      tick.setAttribute("transform", `translate(${x(at)} 0)`);
      tick.querySelector("text").textContent =
        step >= 30 ? `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}` : `${at.toFixed(decimals)} s`;
      fresh.push(tick);
    }
    if (fresh.length) axis.replaceChildren(...fresh);
  };

  // --- looking closer

  const look = (from, to) => {
    const span = Math.min(last - first, Math.max(LEAST, to - from));
    start = Math.max(first, Math.min(last - span, from));
    end = start + span;
    draw();
  };
  const zoom = (factor, at = (start + end) / 2) => look(at - (at - start) * factor, at + (end - at) * factor);
  const move = (part) => look(start + (end - start) * part, end + (end - start) * part);
  const acts = {
    closer: () => zoom(0.5), wider: () => zoom(2), earlier: () => move(-0.3), later: () => move(0.3), all: () => look(first, last),
  };
  const timeAt = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    return start + (((event.clientX - box.left) * scale - across.x.baseVal.value) / width) * (end - start);
  };
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.8 : 1.25, timeAt(event));
  }, { passive: false });
  let held = null;
  svg.addEventListener("pointerdown", (event) => { held = { from: timeAt(event), left: event.clientX }; });
  svg.addEventListener("pointerup", (event) => {
    if (held && Math.abs(event.clientX - held.left) > 8) {
      const [from, to] = [held.from, timeAt(event)].sort((a, b) => a - b);
      look(from, to);
    }
    held = null;
  });
  for (const button of document.querySelectorAll("[data-act]")) button.addEventListener("click", acts[button.dataset.act]);
  for (const button of document.querySelectorAll("[data-look]"))
    button.addEventListener("click", () => {
      look(...button.dataset.look.split(" ").map(Number));
      document.getElementById("whole").scrollIntoView({ block: "start" });
    });

  // --- why

  const chainOf = (row, seen = new Set()) => {
    if (!row || seen.has(row.id)) return seen;
    seen.add(row.id);
    for (const cause of row.querySelectorAll(".causes a")) chainOf(rows.get(rowOf(cause)), seen);
    return seen;
  };
  const tell = (id) => {
    const row = rows.get(id);
    if (!row) return;
    const chain = [...chainOf(row)].map((each) => rows.get(each)).sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));
    const list = document.createElement("ol");
    for (const each of chain) {
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.textContent = each.querySelector("time").textContent;
      const said = ["who", "what", "text"].map((name) => each.querySelector(`td.${name}`).textContent).join(" · ");
      item.append(time, ` ${said}`);
      if (each === row) item.className = "here";
      list.append(item);
    }
    why.className = "told";
    why.replaceChildren(chain.length > 1 ? "What led to it:" : "", list);
    const ids = new Set(chain.map((each) => each.id));
    for (const link of links) link.classList.toggle("chain", ids.has(rowOf(link)));
  };
  const told = (event) => {
    const link = event.target.closest?.("a");
    if (link) tell(rowOf(link));
  };
  svg.addEventListener("pointerover", told);
  svg.addEventListener("focusin", told);
  for (const row of rows.values()) row.addEventListener("pointerenter", () => tell(row.id));

  // --- keys: + - 0, arrows with shift move the window, arrows alone go from event to event

  svg.setAttribute("tabindex", "0");
  const inTime = links.filter((link) => rows.has(rowOf(link)))
    .sort((a, b) => Number(rowOf(a).slice(1)) - Number(rowOf(b).slice(1)));
  const walk = (step) => {
    const here = inTime.indexOf(document.activeElement);
    const shown = (link) => !hidden.has(link.closest(".lane")?.dataset.kind);
    let next = here < 0 ? (step > 0 ? 0 : inTime.length - 1) : here + step;
    while (inTime[next] && !shown(inTime[next])) next += step;
    const link = inTime[next];
    if (!link) return;
    const at = Number(link.querySelector("[data-t]").dataset.t);
    if (at < start || at > end) look(at - (end - start) / 2, at + (end - start) / 2);
    link.focus({ preventScroll: true });
  };
  svg.addEventListener("keydown", (event) => {
    const keys = {
      "+": acts.closer, "=": acts.closer, "-": acts.wider, 0: acts.all,
      ArrowLeft: () => (event.shiftKey ? acts.earlier() : walk(-1)),
      ArrowRight: () => (event.shiftKey ? acts.later() : walk(1)),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });

  // --- what is shown

  const hidden = new Set();
  for (const box of document.querySelectorAll("[data-lanes]"))
    box.addEventListener("change", () => {
      hidden[box.checked ? "delete" : "add"](box.dataset.lanes);
      stack();
    });
  const search = document.getElementById("search");
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows.values()) {
      const text = row.textContent.toLowerCase();
      row.classList.toggle("off", !words.every((word) => text.includes(word)));
    }
  });
  stack();
})();
