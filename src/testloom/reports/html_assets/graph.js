// What waited for what: the fragments that depend on others, one group of them at a time.

const BOX = { width: 190, height: 40, across: 60, down: 14 };
const MOST_DRAWN = 300; // of one picture
const MOST_GROUPS = 200; // to choose from

function Graph({ report }) {
  const [data, setData] = useState(null);
  useEffect(() => void report.fragments.then((found) => setData({ ...found, groups: groupsOf(found.spans) })), []);
  const [chosen, choose] = useState(0);
  if (!data) return null;
  const { spans, chain, groups } = data;
  const end = chain.reduce((sum, at) => sum + spans[at].took, 0);
  const group = groups[chosen] ?? groups[0];
  return section({ "aria-label": "Graph" },
    p({ class: "lead" }, `${counted(groups.length, "group")} of fragments that depend on each other. `,
      `The longest chain takes ${seconds(end)}: with as many slots as you like, the run would still take so long.`),
    groups.length > 1 && div({ class: "tools" }, label({ class: "choose" }, span("Group"),
      select({ value: chosen, onChange: (event) => choose(Number(event.target.value)) },
        groups.slice(0, MOST_GROUPS).map((one, at) => option({ value: at, selected: at === chosen },
          `${labelOf(one)} (${counted(one.length, "fragment")}, ${seconds(one.total)})`))))),
    group && (group.length <= MOST_DRAWN ? h(Picture, { group, spans, chain: new Set(chain) })
      : h(EmptyNote, { text: `${counted(group.length, "fragment")} are too many for a picture; the longest chain is below.` })),
    h(Steps, { title: "Longest chain", spans: chain.map((at) => spans[at]), end }));
}

function labelOf(group) {
  const names = [...new Set(group.map((span) => span.test))];
  return escaped(names[0]) + (names.length > 1 ? ` and ${names.length - 1} more` : "");
}

// Return the groups of fragments that hang together, those that take longest first.
function groupsOf(spans) {
  const leader = spans.map((_, at) => at);
  const find = (at) => {
    while (leader[at] !== at) at = leader[at] = leader[leader[at]];
    return at;
  };
  for (const span of spans) for (const before of span.after) leader[find(before)] = find(span.at);
  const groups = new Map();
  for (const span of spans) {
    const key = find(span.at);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(span);
  }
  const linked = [...groups.values()].filter((group) => group.length > 1);
  for (const group of linked) group.total = group.reduce((sum, span) => sum + span.took, 0);
  return linked.sort((x, y) => y.total - x.total);
}

// Return the column of each fragment: one more than the rightmost it depends on.
function columnsOf(group, spans) {
  const column = new Map();
  for (const span of [...group].sort((x, y) => x.started - y.started)) {
    column.set(span.at, span.after.reduce((most, at) => Math.max(most, (column.get(at) ?? -1) + 1), 0));
  }
  return column;
}

function Picture({ group, spans, chain }) {
  const column = columnsOf(group, spans);
  const inColumn = [];
  const place = new Map();
  // The longest chain on top.
  const order = (x, y) => column.get(x.at) - column.get(y.at) || chain.has(y.at) - chain.has(x.at) || x.started - y.started;
  for (const span of [...group].sort(order)) {
    const at = column.get(span.at);
    inColumn[at] = (inColumn[at] ?? 0) + 1;
    place.set(span.at, [at * (BOX.width + BOX.across), (inColumn[at] - 1) * (BOX.height + BOX.down)]);
  }
  const width = inColumn.length * (BOX.width + BOX.across) - BOX.across + 2;
  const height = Math.max(...inColumn) * (BOX.height + BOX.down) - BOX.down + 2;
  const edges = group.flatMap((span) => span.after.map((before) => [before, span.at]));
  return div({ class: "picture", tabIndex: 0, role: "group", "aria-label": `Dependencies of ${labelOf(group)}` },
    h("svg", { width, height, viewBox: `-1 -1 ${width} ${height}` },
      edges.map(([from, to]) => {
        const [x1, y1] = place.get(from), [x2, y2] = place.get(to);
        const [start, end] = [x1 + BOX.width, y1 + BOX.height / 2];
        const bend = (x2 - start) / 2;
        return h("path", { class: chain.has(from) && chain.has(to) ? "edge critical" : "edge",
          d: `M${start} ${end}C${start + bend} ${end} ${x2 - bend} ${y2 + BOX.height / 2} ${x2} ${y2 + BOX.height / 2}` });
      }),
      group.map((span) => h(Fragment, { span, at: place.get(span.at), critical: chain.has(span.at) }))));
}

function Fragment({ span: one, at: [x, y], critical }) {
  const name = escaped(one.test.split(/\/|__/).at(-1));
  const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}\u2026` : text);
  const content = [
    h("title", null, escaped(`${one.test} ${one.name}: ${seconds(one.took)}`)),
    h("rect", { class: "box", width: BOX.width, height: BOX.height, rx: 6 }),
    h("rect", { class: "tone", width: 4, height: BOX.height - 12, x: 6, y: 6, rx: 2 }),
    h("text", { x: 18, y: 17 }, short(escaped(one.name) || name, 22)),
    h("text", { class: "quiet", x: 18, y: 32 }, `${short(name, 16)} \u00b7 ${seconds(one.took)}`),
  ];
  const look = { class: `node ${STATUSES[one.status][0]}${critical ? " critical" : ""}`, transform: `translate(${x} ${y})` };
  return one.row ? h("a", { ...look, href: `#/${testPath(one.row.name)}` }, content) : h("g", look, content);
}
