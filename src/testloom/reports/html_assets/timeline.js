// What ran when in which slot: the picture of `lanes.js` that one can zoom and move, and the steps of
// the critical path as a table, which says the same without a picture.

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
