// Other runs: what changed since, how a test did before, which tests can't be relied on.

// One line below the head of the page.
function Changes({ report }) {
  const changes = report.changes;
  if (!changes) return null;
  const parts = [
    changes.new.total && a({ class: "bad", href: listPath({ query: "is:new", group: "none", order: "status" }) },
      counted(changes.new.total, "new failure")),
    changes.fixed.total && pageLink("changes", {}, `${changes.fixed.total.toLocaleString("en")} fixed`),
    changes.still.total && span(`${changes.still.total.toLocaleString("en")} failed before`),
    changes.slower.length && pageLink("changes", {}, `${changes.slower.length.toLocaleString("en")} slower`),
  ].filter(Boolean);
  return p({ class: "changes" }, parts.length ? parts : span("Nothing changed"),
    changes.against && span({ class: "quiet" }, "compared with ", ...visible(changes.against)), h(Trend, { runs: report.runs }));
}

// How many tests failed in the last runs.
function Trend({ runs }) {
  if (runs.length < 2) return null;
  const most = Math.max(1, ...runs.map((run) => run.failed));
  return h("svg", { class: "trail trend", viewBox: `0 0 ${runs.length * 6} 14`, width: runs.length * 6, role: "img",
    "aria-label": `failures in the last ${runs.length} runs: ${runs.map((run) => run.failed).join(", ")}` },
    runs.map((run, at) => {
      const height = run.failed ? Math.max(2, (13 * run.failed) / most) : 1;
      return h("rect", { class: run.failed ? "fail" : "pass", x: at * 6, y: 14 - height, width: 4, height, rx: 1 });
    }));
}

function ChangesPage({ report }) {
  const changes = report.changes;
  const names = (title, { total, names }) => total > 0 && section(
    h2({ class: "section" }, title, span({ class: "count" }, total.toLocaleString("en"))),
    ul({ class: "names" }, names.map((name) => li(report.byName.has(name)
      ? pageLink(testPath(name), {}, testName(name)) : testName(name)))));
  const parts = [
    names("New failures", changes.new),
    names("Fixed", changes.fixed),
    names("Failed before, and did not run or may fail now", changes.silenced),
    names("No longer there", changes.gone),
    changes.slower.length > 0 && section(
      h2({ class: "section" }, "Slower", span({ class: "count" }, changes.slower.length)),
      table({ class: "plain-table" },
        thead(tr(th({ scope: "col" }, "Test"), th({ scope: "col", class: "time" }, "Before"),
          th({ scope: "col", class: "time" }, "Now"), th({ scope: "col", class: "time" }, "Times"))),
        tbody(changes.slower.map(([name, before, now]) => tr(
          td(pageLink(testPath(name), {}, testName(name))), td({ class: "time" }, seconds(before)),
          td({ class: "time" }, seconds(now)), td({ class: "time" }, before ? (now / before).toFixed(1) : "")))))),
  ].filter(Boolean);
  return parts.length ? section({ "aria-label": "Changes" }, parts) : h(EmptyNote, { text: "Nothing changed." });
}

// The runs of one test, as bars of its time and as a table.
function TestHistory({ report, row, past }) {
  const now = [null, row.status, row.time, row.flaky];
  const all = [...past, now];
  const longest = Math.max(...all.map(([, , time]) => time ?? 0), 0.001);
  const width = 14, height = 90;
  const last = report.runs.length ? report.runs : [];
  const fails = [];
  for (const one of [...all].reverse()) {
    if (!BAD.has(one[1])) break;
    fails.unshift(one);
  }
  const since = fails.length && fails[0][0] !== null ? last[fails[0][0]] : null;
  return div(
    since && p({ class: "lead" }, `It has failed ${fails.length} times in a row, since the run of ${shortDate(since.started_at)}`,
      since.commit ? [", commit ", code(since.commit.slice(0, 12))] : null, "."),
    h("svg", { class: "bars", viewBox: `0 0 ${all.length * width} ${height}`, width: all.length * width, height, role: "img",
      "aria-label": `time of the last ${all.length} runs; now ${seconds(row.time)}` },
      all.map(([, status, time], at) => {
        const tall = Math.max(3, (height * (time ?? 0)) / longest);
        return h("rect", { class: STATUSES[status][0], x: at * width, y: height - tall, width: width - 4, height: tall, rx: 2 });
      })),
    table({ class: "plain-table" },
      thead(tr(["Run", "Status", "Commit"].map((name) => th({ scope: "col" }, name)), th({ scope: "col", class: "time" }, "Time"))),
      tbody([...all].reverse().map(([number, status, time, flaky]) => {
        const run = number === null ? report.run : last[number];
        return tr(td(shortDate(run.started_at), number === null ? " (this one)" : ""),
          td(badge(status), flaky && span({ class: "mark flaky" }, `flaky ${flaky}`)),
          td(run.commit ? code(run.commit.slice(0, 12)) : ""), td({ class: "time" }, seconds(time)));
      }))));
}

// Return the median of the times of the runs in which the test ran.
function usualTime(past) {
  const times = past.filter(([, status, time]) => time !== null && !["SKIP", "NOT_APPLICABLE"].includes(status))
    .map(([, , time]) => time).sort((x, y) => x - y);
  const middle = times.length >> 1;
  return times.length % 2 ? times[middle] : times.length ? (times[middle - 1] + times[middle]) / 2 : null;
}

function shortDate(instant) {
  return new Date(instant * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

function flakyNow(report) {
  return report.rows.filter((row) => row.flaky);
}

function Flaky({ report }) {
  const now = flakyNow(report);
  return section({ "aria-label": "Flaky tests" },
    now.length > 0 && [h2({ class: "section" }, "In this run"),
      table({ class: "plain-table" },
        thead(tr(th({ scope: "col" }, "Test"), th({ scope: "col" }, "Passed at attempt"), th({ scope: "col", class: "time" }, "Time"))),
        tbody(now.map((row) => tr(td(pageLink(testPath(row.name), {}, testName(row.name))), td(row.flaky),
          td({ class: "time" }, seconds(row.time))))))],
    report.unsteady.length > 0 && [h2({ class: "section" }, `In the last ${counted(report.runs.length, "run")}`),
      table({ class: "plain-table" },
        thead(tr(th({ scope: "col" }, "Test"), th({ scope: "col" }, "Last runs"), th({ scope: "col", class: "time" }, "Failed"),
          th({ scope: "col", class: "time" }, "Unsteady"))),
        tbody(report.unsteady.map((one) => tr(
          td(report.byName.has(one.name) ? pageLink(testPath(one.name), {}, testName(one.name)) : testName(one.name)),
          td(h(Trail, { past: one.past, status: report.byName.get(one.name)?.status ?? "SKIP", most: 21 })),
          td({ class: "time" }, `${one.failures} of ${one.runs}`),
          td({ class: "time" }, `${Math.round(one.rate * 100)} %`)))))]);
}
