// What ran when in which slot, drawn on a canvas: a lane for each slot, below it how many ran.

const AXIS = 22;
const LOAD = 44; // height of the picture of how many ran
const LABEL = 40; // width of the numbers of slots

function Timeline({ report }) {
  const [data, setData] = useState(null);
  useEffect(() => void report.fragments.then(setData), []);
  if (!data) return null;
  return h(TimelineOf, { report, data });
}

function TimelineOf({ report, data }) {
  const { spans, critical } = data;
  const end = Math.max(report.run.duration_s, ...ends(spans));
  const slots = spans.reduce((most, span) => Math.max(most, span.slot + 1), report.run.jobs);
  const busy = spans.reduce((sum, span) => sum + span.took, 0) / (end * slots || 1);
  return section({ "aria-label": "Timeline" },
    p({ class: "lead" }, `${counted(slots, "slot")}, busy ${Math.round(100 * busy)} % of ${seconds(end)}. `,
      "The line through it is the critical path: what the end of the run waited for."),
    h(Lanes, { spans, critical, slots, end }),
    h(Steps, { title: "Critical path", spans: critical.map((at) => spans[at]), end }));
}

function ends(spans) {
  // Not Math.max(...all): there may be more of them than a call takes.
  return [spans.reduce((latest, span) => Math.max(latest, span.ended), 0)];
}

function Lanes({ spans, critical, slots, end }) {
  const box = useRef(null);
  const view = useRef({ from: 0, to: end, x: null });
  const [hover, setHover] = useState(null);
  const lane = slots <= 20 ? 24 : Math.max(8, Math.floor(480 / slots));
  const height = slots * lane + AXIS + LOAD;
  const lanes = useMemo(() => bySlot(spans, slots), [spans]);
  const load = useMemo(() => loadOf(spans), [spans]);
  const draw = () => box.current && drawLanes(box.current, { ...view.current, lanes, spans, critical, lane, slots, load, height });
  useLayoutEffect(() => {
    draw();
    const again = () => requestAnimationFrame(draw);
    const wheel = (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
      event.preventDefault();
      zoom(Math.exp((event.deltaY || event.deltaX) / 300), timeAt(event));
    };
    const colors = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("resize", again);
    addEventListener("themechange", again);
    colors.addEventListener("change", again);
    box.current.addEventListener("wheel", wheel, { passive: false });
    return () => {
      removeEventListener("resize", again);
      removeEventListener("themechange", again);
      colors.removeEventListener("change", again);
    };
  }, []);
  const show = (from, to) => {
    const width = Math.min(to - from, end);
    view.current.from = Math.max(0, Math.min(from, end - width));
    view.current.to = view.current.from + width;
    requestAnimationFrame(draw);
  };
  const zoom = (factor, around = (view.current.from + view.current.to) / 2) => {
    const { from, to } = view.current;
    const least = Math.max(end / 1e5, 1e-4);
    const wide = Math.max(factor, least / (to - from));
    show(around - (around - from) * wide, around + (to - around) * wide);
  };
  const pan = (part) => show(view.current.from + part * span_(), view.current.to + part * span_());
  const span_ = () => view.current.to - view.current.from;
  const timeAt = (event) => {
    const place = box.current.getBoundingClientRect();
    return view.current.from + ((event.clientX - place.left - LABEL) / (place.width - LABEL)) * span_();
  };
  const spanAt = (event) => {
    const place = box.current.getBoundingClientRect();
    const slot = Math.floor((event.clientY - place.top) / lane);
    const slack = (2 * span_()) / (place.width - LABEL);
    return slot < slots ? spanOf(lanes[slot], timeAt(event), slack) : null;
  };
  const onMove = (event) => {
    const start = view.current.x;
    if (event.buttons === 1 && start !== null) {
      const place = box.current.getBoundingClientRect();
      const moved = ((start - event.clientX) / (place.width - LABEL)) * span_();
      if (Math.abs(start - event.clientX) > 3) view.current.dragged = true;
      view.current.x = event.clientX;
      show(view.current.from + moved, view.current.to + moved);
      return;
    }
    const found = spanAt(event);
    const place = box.current.getBoundingClientRect();
    setHover(found && { span: found, x: event.clientX - place.left, y: event.clientY - place.top, wide: place.width });
  };
  const onKeys = (event) => {
    const act = { "+": () => zoom(0.5), "-": () => zoom(2), 0: () => show(0, end),
      ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  return div(
    div({ class: "tools" },
      div({ class: "choice", role: "group", "aria-label": "Zoom" },
        button({ onClick: () => zoom(0.5) }, "Zoom in"), button({ onClick: () => zoom(2) }, "Zoom out"),
        button({ onClick: () => show(0, end) }, "Whole run")),
      span({ class: "quiet" }, "Drag to move, Ctrl and the wheel to zoom, click for the test")),
    div({ class: "lanes" },
      canvas({ ref: box, tabIndex: 0, role: "img", style: { height: `${height}px` },
        "aria-label": `${counted(spans.length, "fragment")} in ${counted(slots, "slot")}; the critical path is listed below`,
        onKeyDown: onKeys, onPointerMove: onMove, onPointerLeave: () => setHover(null), onDblClick: (event) => zoom(0.4, timeAt(event)),
        onPointerDown: (event) => (Object.assign(view.current, { x: event.clientX, dragged: false })),
        onClick: (event) => {
          const found = !view.current.dragged && spanAt(event);
          if (found?.row) location.hash = `#/${testPath(found.row.name)}`;
        } }),
      hover && div({ class: "tip", style: { left: `${Math.min(hover.x + 12, hover.wide - 280)}px`, top: `${hover.y + 16}px` } },
        badge(hover.span.status), " ", testName(hover.span.test),
        p({ class: "quiet" }, ...visible(hover.span.name), ` \u00b7 ${seconds(hover.span.took)}, from ${seconds(hover.span.started)}`,
          hover.span.attempt > 1 ? ` \u00b7 attempt ${hover.span.attempt}` : "",
          hover.span.end ? ` \u00b7 ${hover.span.end}` : ""))));
}

function bySlot(spans, slots) {
  const lanes = Array.from({ length: slots }, () => []);
  for (const span of spans) lanes[span.slot]?.push(span);
  for (const lane of lanes) lane.sort((x, y) => x.started - y.started);
  return lanes;
}

// Return the fragment of a lane at a time, or the nearest within the slack.
function spanOf(lane, time, slack) {
  let low = 0, high = lane.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane[middle].started <= time) low = middle + 1;
    else high = middle;
  }
  const near = [lane[low - 1], lane[low]].filter((one) => one && one.started - slack <= time && one.ended + slack >= time);
  return near.find((one) => one.started <= time && one.ended >= time) ?? near[0] ?? null;
}

// Return how many ran from when on: [[time, number], ...].
function loadOf(spans) {
  const steps = spans.flatMap(({ started, ended }) => [[started, 1], [ended, -1]]);
  steps.sort((x, y) => x[0] - y[0] || x[1] - y[1]);
  let running = 0;
  return steps.map(([time, change]) => [time, (running += change)]);
}

// Return the colours that the style gives to statuses and lines at this moment.
function colorsOf(element) {
  const probe = document.createElement("span");
  element.parentNode.append(probe);
  const color = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "quiet", "line", "paper", "sunken", "accent", "pass", "fail", "error", "skip", "expected", "surprise"];
  const found = Object.fromEntries(names.map((name) => [name, color(name)]));
  found.verify = found.surprise;
  probe.remove();
  return found;
}

function drawLanes(box, { from, to, lanes, spans, critical, lane, slots, load, height }) {
  const width = box.clientWidth;
  const scale = devicePixelRatio || 1;
  box.width = width * scale;
  box.height = height * scale;
  const pen = box.getContext("2d");
  pen.scale(scale, scale);
  const colors = colorsOf(box);
  const x = (time) => LABEL + ((time - from) / (to - from)) * (width - LABEL);
  const gap = lane > 12 ? 3 : 1;
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  lanes.forEach((inLane, slot) => {
    pen.fillStyle = colors.sunken;
    pen.fillRect(LABEL, slot * lane, width - LABEL, lane - gap);
    pen.fillStyle = colors.quiet;
    if (lane >= 12 || slot % 8 === 0) pen.fillText(String(slot), LABEL - 10, slot * lane + (lane - gap) / 2);
  });
  drawAxis(pen, { x, from, to, width, top: slots * lane, colors });
  pen.save();
  pen.beginPath();
  pen.rect(LABEL, 0, width - LABEL, height);
  pen.clip();
  const inSight = spans.filter((span) => span.ended >= from && span.started <= to);
  inSight.sort((one, other) => STATUS_ORDER.indexOf(other.status) - STATUS_ORDER.indexOf(one.status));
  for (const span of inSight) {
    const left = x(span.started);
    const wide = Math.max(1, x(span.ended) - left);
    // What passed stays in the background.
    pen.globalAlpha = BAD.has(span.status) ? 0.9 : 0.35;
    pen.fillStyle = colors[STATUSES[span.status][0]];
    pen.fillRect(left, span.slot * lane, wide > 3 ? wide - 1 : wide, lane - gap);
  }
  pen.globalAlpha = 1;
  drawNames(pen, inSight, { x, lane, gap, colors });
  drawCritical(pen, critical.map((at) => spans[at]), { x, lane, gap, colors });
  drawLoad(pen, load, { x, top: slots * lane + AXIS, slots, colors, from, to });
  pen.restore();
}

function drawNames(pen, spans, { x, lane, gap, colors }) {
  if (lane < 16) return;
  pen.textAlign = "left";
  for (const span of spans) {
    pen.fillStyle = BAD.has(span.status) ? colors.paper : colors.ink;
    const left = Math.max(LABEL, x(span.started));
    const room = x(span.ended) - left - 10;
    if (room < 40) continue;
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, room + 5, 1e5);
    pen.clip();
    pen.fillText(escaped(span.test.split(/\/|__/).at(-1)), left + 5, span.slot * lane + (lane - gap) / 2);
    pen.restore();
  }
}

// A line along the bottom of what is critical, and from lane to lane.
function drawCritical(pen, path, { x, lane, gap, colors }) {
  pen.strokeStyle = colors.ink;
  pen.lineWidth = 2;
  pen.beginPath();
  path.forEach((span, at) => {
    const y = span.slot * lane + lane - gap - 1;
    if (at) pen.lineTo(x(span.started), y);
    else pen.moveTo(x(span.started), y);
    pen.lineTo(x(span.ended), y);
  });
  pen.stroke();
}

function drawLoad(pen, load, { x, top, slots, colors, from, to }) {
  const y = (number) => top + LOAD - 2 - ((LOAD - 6) * number) / slots;
  pen.fillStyle = colors.accent;
  pen.globalAlpha = 0.25;
  pen.beginPath();
  pen.moveTo(x(from), y(0));
  let before = 0;
  for (const [time, number] of load) {
    pen.lineTo(x(time), y(before));
    pen.lineTo(x(time), y(number));
    before = number;
  }
  pen.lineTo(x(to), y(before));
  pen.lineTo(x(to), y(0));
  pen.fill();
  pen.globalAlpha = 1;
}

function drawAxis(pen, { x, from, to, width, top, colors }) {
  const step = niceStep((to - from) / (width / 110));
  pen.textAlign = "center";
  pen.fillStyle = colors.quiet;
  pen.strokeStyle = colors.line;
  pen.lineWidth = 1;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
    pen.beginPath();
    pen.moveTo(Math.round(x(time)) + 0.5, 0);
    pen.lineTo(Math.round(x(time)) + 0.5, top + 3);
    pen.globalAlpha = 0.5;
    pen.stroke();
    pen.globalAlpha = 1;
    const label = `${time.toFixed(digits)} s`;
    const half = pen.measureText(label).width / 2;
    pen.fillText(label, Math.max(LABEL + half, Math.min(width - half, x(time))), top + AXIS / 2 + 1);
  }
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least || 1));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least) ?? 10 * power;
}

// A table of fragments one after the other: what took how long, and how long nothing of it ran.
function Steps({ title, spans, end }) {
  if (!spans.length) return null;
  const shown = spans.length > 200 ? longest(spans, 200) : spans;
  return [
    h2({ class: "section" }, title, span({ class: "count" }, spans.length.toLocaleString("en"))),
    shown !== spans && p({ class: "lead" }, `The ${shown.length} longest steps.`),
    table({ class: "plain-table" },
      thead(tr(th({ scope: "col" }, "Fragment"), th({ scope: "col" }, "Share"), th({ scope: "col", class: "time" }, "Slot"),
        th({ scope: "col", class: "time" }, "Start"), th({ scope: "col", class: "time" }, "Time"))),
      tbody(shown.map((one) => tr(
        td(one.row ? pageLink(testPath(one.row.name), {}, testName(one.test)) : testName(one.test),
          one.name && span({ class: "quiet" }, " ", ...visible(one.name))),
        td({ class: "share" }, h(Bar, { part: one.took / (end || 1) })),
        td({ class: "time" }, one.slot), td({ class: "time" }, seconds(one.started)), td({ class: "time" }, seconds(one.took)))))),
  ];
}

function longest(spans, number) {
  const kept = new Set([...spans].sort((x, y) => y.took - x.took).slice(0, number));
  return spans.filter((span) => kept.has(span));
}
