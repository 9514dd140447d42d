// Pages that are tables: the slowest tests, and what the run ran in.

const SLOWEST = 50;

function Slowest({ report }) {
  const timed = report.rows.filter((row) => row.time > 0);
  const total = timed.reduce((sum, row) => sum + row.time, 0);
  const slowest = [...timed].sort(ORDERS.time).slice(0, SLOWEST);
  if (!slowest.length) return h(EmptyNote, { text: "No test has a time." });
  const share = slowest.reduce((sum, row) => sum + row.time, 0) / total;
  return section({ "aria-label": "Slowest tests" },
    p({ class: "lead" }, `The ${counted(slowest.length, "slowest test")} took `,
      `${Math.round(share * 100)} % of the ${seconds(total)} that all tests took together.`),
    table({ class: "plain-table" },
      thead(tr(th({ scope: "col" }, "Test"), th({ scope: "col" }, "Share"),
        th({ scope: "col", class: "time" }, "Time"),
        report.runs.length > 0 && th({ scope: "col", class: "time" }, "Usually"), th({ scope: "col", class: "time" }, "CPU"))),
      tbody(slowest.map((row) => tr(
        td(pageLink(testPath(row.name), {}, testName(row.name))),
        td({ class: "share" }, h(Bar, { part: row.time / slowest[0].time })),
        td({ class: "time" }, seconds(row.time)),
        report.runs.length > 0 && td({ class: "time" }, seconds(report.usual[row.name])),
        td({ class: "time" }, seconds(row.cpu)))))));
}

function Bar({ part }) {
  return span({ class: "bar", "aria-hidden": "true" }, span({ style: { width: `${(100 * part).toFixed(1)}%` } }));
}

function Environment({ report }) {
  const run = report.run;
  const facts = [
    ["Run", run.run_id],
    ["Suite", run.suite],
    ["Root", run.root],
    ["Results", run.output_dir],
    ["Command", run.command.map(shellWord).join(" ")],
    ["Started", new Date(run.started_at * 1000).toLocaleString("en-GB", { dateStyle: "long", timeStyle: "medium" })],
    ["Took", seconds(run.duration_s)],
    ["Slots", String(run.jobs)],
    ["Selected", counted(run.selected, "test")],
    ["Commit", [run.commit, run.branch && `(${run.branch})`].filter(Boolean).join(" ")],
    ["Machine", run.host],
    ["Platform", run.platform],
    ["Ended early", run.stopped],
    ...Object.entries(run.versions),
  ];
  const variables = Object.entries(run.environment);
  return section({ "aria-label": "Environment" },
    h(FactTable, { facts: facts.filter(([, value]) => value) }),
    variables.length > 0 && [h2({ class: "section" }, "Variables", span({ class: "count" }, variables.length)),
      h(FactTable, { facts: variables })]);
}

function FactTable({ facts }) {
  return table({ class: "plain-table facts-table" },
    tbody(facts.map(([key, value]) => tr(th({ scope: "row" }, ...visible(key)), td(code(...visible(value)))))));
}
