// The page as a whole: what is shown for which address, keys, colours of day and night.

const PAGES = [
  { path: "", name: "Tests", show: TestList, count: (report) => report.rows.length },
  { path: "causes", name: "Causes", show: Causes, count: (report) => report.causes.length,
    there: (report) => report.bad > 0 },
  { path: "changes", name: "Changes", show: ChangesPage, there: (report) => report.changes },
  { path: "timeline", name: "Timeline", show: Timeline, there: (report) => report.spans > 0 },
  { path: "graph", name: "Graph", show: Graph, there: (report) => report.edges > 0 },
  { path: "slowest", name: "Slowest", show: Slowest },
  { path: "flaky", name: "Flaky", show: Flaky,
    there: (report) => report.unsteady.length + flakyNow(report).length > 0,
    count: (report) => new Set([...report.unsteady, ...flakyNow(report)].map((one) => one.name)).size },
  { path: "environment", name: "Environment", show: Environment },
];

// Return what the address asks for: {page, name}; page is null for a test.
function readAddress() {
  const path = location.hash.replace(/^#\/?/, "");
  if (path.startsWith("test/")) {
    try {
      return { page: null, name: decodeURIComponent(path.slice(5)) };
    } catch {
      return { page: null, name: path.slice(5) };
    }
  }
  const page = PAGES.find((one) => one.path && one.path === path) ?? PAGES[0];
  if (page === PAGES[0]) readListPath(path);
  return { page, name: "" };
}

function App({ report }) {
  const [address, setAddress] = useState(readAddress);
  const [help, setHelp] = useState(false);
  useEffect(() => {
    const follow = () => {
      const next = readAddress();
      if (next.page !== PAGES[0]) scrollTo(0, 0);
      setAddress(next);
    };
    const onKey = (event) => press(event, { report, address: readAddress(), help, setHelp });
    addEventListener("hashchange", follow);
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("hashchange", follow);
      removeEventListener("keydown", onKey);
    };
  }, [help]);
  useEffect(() => {
    const suite = escaped(report.run.suite);
    document.title = address.name ? `${escaped(address.name)} \u2013 ${suite}` : `${suite}: ${report.last_line}`;
  }, [address]);
  const pages = PAGES.filter((page) => !page.there || page.there(report));
  return [
    h(Head, { report, setHelp }),
    nav({ class: "pages", "aria-label": "Pages" }, pages.map((page) =>
      a({ href: page === PAGES[0] ? listPath(list) : `#/${page.path}`,
        "aria-current": page === address.page || (!address.page && page === PAGES[0]) ? "page" : undefined },
        page.name, page.count && span({ class: "count" }, page.count(report).toLocaleString("en"))))),
    main(address.page ? h(address.page.show, { report }) : h(TestPage, { report, name: address.name })),
    help && h(Help, { close: () => setHelp(false) }),
  ];
}

function Head({ report, setHelp }) {
  const run = report.run;
  const when = new Date(run.started_at * 1000);
  const facts = [
    run.started_at && when.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }),
    seconds(run.duration_s),
    counted(run.jobs, "slot"),
    run.parts.length > 0 && `merged from ${counted(run.parts.length, "run")}`,
    run.platform,
    run.host,
  ];
  return header({ class: "top" },
    div({ class: "title" },
      h1(a({ href: "#/" }, ...visible(run.suite))),
      h(Verdict, { report }),
      div({ class: "corner" }, h(ThemeButton),
        button({ class: "round", onClick: () => setHelp(true), title: "Keys (?)", "aria-label": "Keys" }, icon("question")))),
    p({ class: "meta" }, facts.filter(Boolean).map((fact) => span(...visible(String(fact)))),
      span({ class: "run-id" }, "run ", ...visible(run.run_id))),
    h(Proportions, { report }),
    h(Changes, { report }),
    run.stopped && p({ class: "warning" }, "Ended early: ", ...visible(run.stopped)),
    report.notes.length > 0 && ul({ class: "notes" }, report.notes.map((note) => li(...visible(note)))));
}

function Verdict({ report }) {
  if (report.bad) return span({ class: "verdict fail" }, icon("cross"), `${report.bad.toLocaleString("en")} failed`);
  if (report.run.stopped) return span({ class: "verdict skip" }, icon("bang"), "ended early");
  if (!report.rows.length) return span({ class: "verdict skip" }, icon("dash"), "nothing ran");
  return span({ class: "verdict pass" }, icon("check"), "passed");
}

// The statuses as parts of one bar; what is rare stays visible.
function Proportions({ report }) {
  const present = STATUS_ORDER.filter((status) => report.counts[status]);
  return div({ class: "proportions", role: "img",
    "aria-label": present.map((status) => `${report.counts[status]} ${STATUSES[status][2]}`).join(", ") },
    present.map((status) => span({ class: STATUSES[status][0], style: { flexGrow: report.counts[status] } })));
}

const THEMES = { auto: "light dark", light: "light", dark: "dark" };

function ThemeButton() {
  const [theme, setTheme] = useStored("theme", "auto");
  useLayoutEffect(() => {
    document.documentElement.style.colorScheme = THEMES[theme] ?? THEMES.auto;
    dispatchEvent(new Event("themechange"));
  }, [theme]);
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme) + 1) % names.length];
  return button({ class: "round", onClick: () => setTheme(next), title: `Colours: ${theme}; change to ${next}`,
    "aria-label": `Colours: ${theme}` }, icon("sun"));
}

const KEYS_HELP = [
  ["/", "filter the tests"],
  ["j, k", "next, previous test"],
  ["Enter", "open the test"],
  ["Esc", "back to the list; leave the filter"],
  ["d", "other colours: auto, light, dark"],
  ["?", "this help"],
];
const FILTER_HELP = [
  ["word", "in name, message, reason, driver or tags"],
  ["s:failed", "by status: failed, passed, skipped, or any status"],
  ["tag:  driver:  reason:", "what the test says of itself"],
  ["name:  slot:  shard:  is:new  is:flaky", "in the name only; where it ran; what is special"],
  ["-word  -tag:slow", "not this"],
  ["\"two words\"", "together"],
];

function Help({ close }) {
  const box = useRef(null);
  useEffect(() => box.current.showModal(), []);
  const rows = (pairs) => dl(pairs.map(([key, what]) => div(dt(kbd(key)), dd(what))));
  return h("dialog", { ref: box, class: "help", onClose: close,
    onClick: (event) => event.target === box.current && close() },
    div(h2("Keys"), rows(KEYS_HELP), h2("Filter"), rows(FILTER_HELP),
      button({ onClick: close }, "Close")));
}

// Do what a key means; keys that are typed into a field mean themselves.
function press(event, { report, address, help, setHelp }) {
  if (event.ctrlKey || event.metaKey || event.altKey || help) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (address.page !== PAGES[0]) location.hash = listPath(list);
    return;
  }
  if (typing && !(event.key === "Enter" && event.target.id === "filter")) return;
  const act = {
    "/": () => focusFilter(),
    "?": () => setHelp(true),
    d: () => document.querySelector(".corner .round").click(),
    j: () => moveOrTurn(report, address, 1),
    k: () => moveOrTurn(report, address, -1),
    Enter: typing ? () => moveBy(list.at < 0 ? 1 : 0) : null,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function focusFilter() {
  const focus = () => document.getElementById("filter")?.select();
  if (document.getElementById("filter")) focus();
  else {
    location.hash = listPath(list);
    setTimeout(focus, 50);
  }
}

// In the list: the next row.  On the page of a test: the page of the next one.
function moveOrTurn(report, address, step) {
  if (address.page === PAGES[0]) return moveBy(step);
  if (address.page) return;
  const rows = list.rows.length ? list.rows : report.inOrder;
  const row = rows[rows.findIndex((one) => one.name === address.name) + step];
  if (row) location.hash = `#/${testPath(row.name)}`;
}

async function start() {
  const root = document.getElementById("app");
  try {
    const report = new Report(await unpack("index"));
    root.textContent = "";
    render(h(App, { report }), root);
    document.documentElement.dataset.ready = String(performance.now());
  } catch (error) {
    root.prepend(`This report cannot be shown in this browser: ${error}`);
    throw error;
  }
}

// For those who look at a report from the browser's console.
globalThis.testloom = { Report, unpack, matcher };
start();
