// Everything about one test.

function TestPage({ report, name }) {
  const row = report.byName.get(name);
  const [details, setDetails] = useState(null);
  useEffect(() => {
    let wanted = true;
    setDetails(null);
    const show = (found) => wanted && setDetails(found);
    if (row) report.details(row).then(show, (error) => show({ lost: String(error) }));
    return () => (wanted = false);
  }, [name]);
  if (!row) return h(EmptyNote, { text: `There is no test called ${escaped(name)} in this report.` });
  return section({ class: "test", "aria-label": "Test" },
    h(TestHead, { report, row, details }),
    details ? h(TestParts, { key: name, report, row, details }) : null);
}

function TestHead({ report, row, details }) {
  const facts = [
    ["Time", seconds(row.time)],
    ["CPU", seconds(row.cpu)],
    ["Memory", row.memory > 0 && bytes(row.memory)],
    ["Usually", details?.past && seconds(usualTime(details.past))],
    ["Attempt", row.flaky],
    ["Started", row.slot >= 0 && `${seconds(row.started)} after the start, slot ${row.slot}`],
    ["Shard", row.shard && [row.shard, report.run.parts[row.part].host].filter(Boolean).join(" on ")],
    ["Driver", row.driver],
    ["Reason", row.reason],
    ["Tags", row.tags.join(", ")],
    ["Part of", row.test !== row.name && row.test],
    ["Defined in", row.source && `${row.source}:${row.line}`],
    ...Object.entries(details?.info ?? {}),
  ];
  return div({ class: "test-head" },
    div({ class: "way" }, a({ class: "back", href: listPath(list) }, icon("left"), "Tests"), h(Neighbours, { report, row })),
    h2(badge(row.status), testName(row.name)),
    row.said && p({ class: "message" }, ...visible(row.said)),
    dl({ class: "facts" }, facts.filter(([, value]) => value).map(([key, value]) =>
      div(dt(...visible(key)), dd(...visible(String(value)))))),
    details?.rerun && div({ class: "command" }, code(...visible(details.rerun)),
      h(CopyButton, { text: details.rerun, what: "the command that runs it again" })));
}

// Links to what stands above and below in the list that one came from.
function Neighbours({ report, row }) {
  const rows = list.rows.length ? list.rows : report.inOrder;
  const at = rows.indexOf(row);
  if (at < 0) return null;
  const link = (other, text, key) =>
    other && a({ href: `#/${testPath(other.name)}`, title: escaped(`${other.name} (${key})`) }, text);
  return span({ class: "neighbours" }, link(rows[at - 1], "Previous", "k"), link(rows[at + 1], "Next", "j"));
}

function TestParts({ report, row, details }) {
  const parts = [
    ["Difference", details.diff, () => h(DiffView, { text: details.diff, expected: details.expected })],
    ["Log", details.log || details.lost, () => h(LogView, { details })],
    ["Programs", details.processes, () => h(Processes, { processes: details.processes, more: details.more_processes })],
    ["Files", details.expected !== undefined || details.out !== undefined, () => h(Files, { details })],
    ["Attempts", details.earlier, () => h(Attempts, { row, attempts: details.earlier })],
    ["History", details.past, () => h(TestHistory, { report, row, past: details.past })],
  ].filter(([, there]) => there);
  const [chosen, setChosen] = useState(parts[0]?.[0]);
  if (!parts.length) {
    return h(EmptyNote, { text: PASSING.has(row.status) ? "It wrote no log." : "It has no log." });
  }
  const shown = parts.find(([name]) => name === chosen) ?? parts[0];
  return div(
    h(Tabs, { names: parts.map(([name]) => name), chosen: shown[0], choose: setChosen }),
    div({ role: "tabpanel", id: "part", "aria-label": shown[0], tabIndex: 0 }, shown[2]()));
}

function Tabs({ names, chosen, choose }) {
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = names[(names.indexOf(chosen) + step + names.length) % names.length];
    choose(next);
    event.currentTarget.children[names.indexOf(next)].focus();
  };
  return div({ class: "tabs", role: "tablist", onKeyDown: move }, names.map((name) =>
    button({ role: "tab", "aria-selected": String(name === chosen), "aria-controls": "part",
      tabIndex: name === chosen ? 0 : -1, onClick: () => choose(name) }, name)));
}

function LogView({ details }) {
  if (details.lost) return p({ class: "warning" }, "The log is lost: ", ...visible(details.lost));
  return h(TextBlock, { text: details.log, what: "the log" });
}

function TextBlock({ text, what }) {
  return div({ class: "block" },
    h(CopyButton, { text, what }),
    pre({ class: "log", tabIndex: 0 }, ...colored(text.replace(/\n$/, ""))));
}

function Processes({ processes, more }) {
  return div(
    ol({ class: "processes" }, processes.map((process) => h(Process, { process }))),
    more ? p({ class: "empty" }, `and ${counted(more, "more program")}`) : null);
}

function Process({ process }) {
  const argv = process.cmd.map(shellWord).join(" ");
  const facts = [
    ["time", seconds(process.wall_s)],
    ["CPU", seconds(process.cpu_s)],
    ["memory", process.max_rss_bytes ? bytes(process.max_rss_bytes) : ""],
    ["in", process.cwd],
  ];
  return li(
    div({ class: "command" }, code(...visible(argv)), h(CopyButton, { text: argv, what: "the command" })),
    p({ class: "quiet" },
      process.status !== undefined && span({ class: process.status ? "bad" : "" }, `exit status ${process.status}`),
      facts.filter(([, value]) => value).map(([key, value]) => span(`${key} `, strong(...visible(value))))),
    process.output && pre({ class: "log", tabIndex: 0 }, ...colored(process.output.replace(/\n$/, ""))),
    process.errors && [p({ class: "quiet" }, "standard error"),
      pre({ class: "log", tabIndex: 0 }, ...colored(process.errors.replace(/\n$/, "")))]);
}

function shellWord(word) {
  return /^[\w!%+,\-./:=@^]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function Files({ details }) {
  const block = (title, text) => text !== undefined &&
    [h3(title), text ? h(TextBlock, { text, what: title.toLowerCase() }) : p({ class: "quiet" }, "empty")];
  return div(block("Expected", details.expected), block("Output", details.out));
}

function Attempts({ row, attempts }) {
  return ol({ class: "processes" },
    attempts.map((one) => li(
      h3("Attempt ", String(one.attempt), " ", badge(one.status)),
      p({ class: "quiet" }, span(...visible(one.said ?? "")), span(seconds(one.time))),
      one.diff ? h(DiffView, { text: one.diff, expected: one.expected })
        : one.log || one.lost ? h(LogView, { details: one }) : null)),
    li(h3("After these ", badge(row.status))));
}
