// The list of tests: filter, groups, order.  Only the rows in sight are in the document, so that a
// hundred thousand of them scroll like ten.

const ROW_HEIGHT = 38;
const SPARE_ROWS = 12; // above and below what is in sight

const GROUPS = {
  none: null,
  directory: (row) => row.source.replace(/\/?[^/]*$/, "").replace(/\/[^/]*$/, "") || "(top)",
  driver: (row) => row.driver || "(none)",
  tag: (row) => row.tags.join(", ") || "(none)",
  reason: (row) => row.reason || "(none)",
  slot: (row) => (row.slot < 0 ? "(never ran)" : `slot ${row.slot}`),
  shard: (row) => (row.shard ? `shard ${row.shard}` : "(never ran)"),
};

// What rows can be grouped by: shards are there in merged runs only.
function groupsFor(report) {
  return Object.keys(GROUPS).filter((name) => name !== "shard" || report.run.parts.length);
}

const ORDERS = {
  status: null,
  name: (x, y) => (x.name < y.name ? -1 : x.name > y.name ? 1 : 0),
  time: (x, y) => (y.time ?? -1) - (x.time ?? -1),
  started: (x, y) => x.started - y.started,
};

// What the list shows, kept while another page is looked at.
const list = { query: "", group: "none", order: "status", scroll: 0, at: -1, rows: [], lines: [], wanted: null };

function listPath({ query, group, order }) {
  const parts = [];
  if (query) parts.push(`q=${encodeURIComponent(query)}`);
  if (group !== "none") parts.push(`group=${group}`);
  if (order !== "status") parts.push(`order=${order}`);
  return parts.length ? `#/?${parts.join("&")}` : "#/";
}

function readListPath(path) {
  const values = new URLSearchParams(path.replace(/^\/?\??/, ""));
  list.query = values.get("q") ?? "";
  list.group = Object.hasOwn(GROUPS, values.get("group") ?? "") ? values.get("group") : "none";
  list.order = Object.hasOwn(ORDERS, values.get("order") ?? "") ? values.get("order") : "status";
}

function TestList({ report }) {
  const [, again] = useState(0);
  const update = (change) => {
    Object.assign(list, change, { at: -1 });
    history.replaceState(null, "", listPath(list));
    again((n) => n + 1);
  };
  const rows = useMemo(() => {
    const found = report.inOrder.filter(matcher(list.query));
    return ORDERS[list.order] ? found.sort(ORDERS[list.order]) : found;
  }, [list.query, list.order]);
  const lines = useMemo(() => grouped(rows, GROUPS[list.group]), [rows, list.group]);
  Object.assign(list, { rows, lines });
  useLayoutEffect(() => scrollTo(0, list.scroll), []);
  return section({ "aria-label": "Tests" },
    h(Chips, { report, update }),
    div({ class: "filter" },
      input({ id: "filter", type: "search", value: list.query, spellcheck: false, autocomplete: "off",
        placeholder: "Filter: words, s:failed, tag:smoke, driver:diff, -word", "aria-label": "Filter tests",
        onInput: (event) => update({ query: event.target.value }) }),
      kbd({ "aria-hidden": "true" }, "/"),
      h(Choice, { name: "Group by", value: list.group, values: groupsFor(report),
        onChange: (group) => update({ group }) }),
      h(Choice, { name: "Order by", value: list.order, values: Object.keys(ORDERS),
        onChange: (order) => update({ order }) })),
    p({ class: "shown", role: "status" }, rows.length === report.rows.length
      ? counted(rows.length, "test")
      : `${rows.length.toLocaleString("en")} of ${counted(report.rows.length, "test")}`),
    rows.length ? h(VirtualRows, { lines, report }) : h(EmptyNote, { text: "No test matches this filter." }));
}

// One button for each status that occurs; it puts the status into the filter.
function Chips({ report, update }) {
  const present = STATUS_ORDER.filter((status) => report.counts[status]);
  return div({ class: "chips", role: "group", "aria-label": "Filter by status" },
    present.map((status) => {
      const [kind, shape, says] = STATUSES[status];
      const term = `s:${status.toLowerCase()}`;
      return button({ class: `chip ${kind}`, "aria-pressed": String(list.query.split(/\s+/).includes(term)),
        onClick: () => update({ query: toggled(list.query, term) }) },
        icon(shape), strong(report.counts[status].toLocaleString("en")), ` ${says}`);
    }));
}

function Choice({ name, value, values, onChange }) {
  return label({ class: "choose" }, span(name),
    select({ value, onChange: (event) => onChange(event.target.value) },
      values.map((one) => option({ value: one, selected: one === value }, one))));
}

// Return the lines to show: rows, and a heading above each group, the largest trouble first.
function grouped(rows, keyOf) {
  if (!keyOf) return rows;
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups].sort(([x], [y]) => x.localeCompare(y, "en", { numeric: true }))
    .flatMap(([key, members]) => [{ heading: key, members }, ...members]);
}

function VirtualRows({ lines, report }) {
  const frame = useRef(null);
  const [[first, last], setRange] = useState([0, 40]);
  useLayoutEffect(() => {
    let asked = 0;
    const look = () => {
      asked = 0;
      const top = frame.current ? -frame.current.getBoundingClientRect().top : 0;
      list.scroll = scrollY;
      const from = Math.max(0, Math.floor(top / ROW_HEIGHT) - SPARE_ROWS);
      setRange(([oldFirst, oldLast]) => {
        const until = from + Math.ceil(innerHeight / ROW_HEIGHT) + 2 * SPARE_ROWS;
        return oldFirst === from && oldLast === until ? [oldFirst, oldLast] : [from, until];
      });
    };
    const ask = () => (asked ||= requestAnimationFrame(look));
    look();
    addEventListener("scroll", ask, { passive: true });
    addEventListener("resize", ask);
    return () => {
      cancelAnimationFrame(asked);
      removeEventListener("scroll", ask);
      removeEventListener("resize", ask);
    };
  }, []);
  useLayoutEffect(focusWanted);
  const from = Math.min(first, Math.max(0, lines.length - SPARE_ROWS));
  const shown = lines.slice(from, last);
  const kind = report.run.parts.length ? "rows with-shard" : report.runs.length ? "rows with-past" : "rows";
  return div({ class: kind, ref: frame, style: { height: `${lines.length * ROW_HEIGHT}px` } },
    shown.map((line, at) => line.heading === undefined
      ? h(Row, { key: line.number, row: line, top: (from + at) * ROW_HEIGHT, place: from + at, total: lines.length })
      : h(Heading, { key: `group ${line.heading}`, line, top: (from + at) * ROW_HEIGHT })));
}

function Row({ row, top, place, total }) {
  return a({ class: `row${list.rows[list.at] === row ? " at" : ""}`, href: `#/${testPath(row.name)}`,
    style: { transform: `translateY(${top}px)` }, "data-number": row.number,
    onFocus: () => (list.at = list.rows.indexOf(row)) },
    badge(row.status), testName(row.name),
    span({ class: "said" }, ...visible(row.said)),
    span({ class: "marks" }, ...marksOf(row), h(Trail, { past: row.past, status: row.status })),
    span({ class: "time" }, row.time === null ? "" : `${row.time.toFixed(2)} s`));
}

// How a test did in the last runs, the newest at the right.
function Trail({ past, status, most = 10 }) {
  if (!past) return null;
  const now = BAD.has(status) ? "f" : PASSING.has(status) ? "p" : "s";
  const letters = [...past.slice(1 - most), now];
  const words = { p: "passed", f: "failed", s: "skipped" };
  return h("svg", { class: "trail", viewBox: `0 0 ${letters.length * 6} 14`, width: letters.length * 6, role: "img",
    "aria-label": `last runs: ${letters.map((letter) => words[letter]).join(", ")}` },
    letters.map((letter, at) => h("rect", { class: { p: "pass", f: "fail", s: "skip" }[letter], x: at * 6,
      y: letter === "p" ? 6 : letter === "f" ? 1 : 10, width: 4, height: letter === "p" ? 7 : letter === "f" ? 12 : 3, rx: 1 })));
}

// What is special about a result, in a word or two.
function marksOf(row) {
  const marks = [];
  if (row.new) marks.push(span({ class: "mark new" }, "new"));
  if (row.flaky) marks.push(span({ class: "mark flaky" }, `flaky ${row.flaky}`));
  if (row.shard) marks.push(span({ class: "mark shard", title: "shard" }, ...visible(row.shard)));
  return marks;
}

function Heading({ line, top }) {
  const bad = line.members.filter((row) => BAD.has(row.status)).length;
  return div({ class: "heading", style: { transform: `translateY(${top}px)` } },
    strong(...visible(line.heading)), span(counted(line.members.length, "test")),
    bad ? span({ class: "bad" }, `${bad.toLocaleString("en")} failed`) : null);
}

// Move to the row `step` further down the list, and let it have the keyboard.
function moveBy(step) {
  const frame = document.querySelector(".rows");
  if (!frame) return;
  list.at = Math.max(0, Math.min(list.rows.length - 1, list.at + step));
  const row = list.rows[list.at];
  list.wanted = row.number;
  const top = frame.getBoundingClientRect().top + list.lines.indexOf(row) * ROW_HEIGHT;
  const below = innerHeight - 2 * ROW_HEIGHT;
  if (top < ROW_HEIGHT) scrollBy(0, top - ROW_HEIGHT);
  if (top > below) scrollBy(0, top - below);
  focusWanted();
}

// Give the keyboard to the row that `moveBy` went to, once it is in the document.
function focusWanted() {
  const row = document.querySelector(`.row[data-number="${list.wanted}"]`);
  if (!row) return;
  list.wanted = null;
  row.focus({ preventScroll: true });
}
