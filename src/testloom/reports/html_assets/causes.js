// Failures by cause: those that say the same but for numbers, addresses and paths.

function Causes({ report }) {
  const causes = report.causes;
  if (!causes.length) return h(EmptyNote, { text: "Nothing failed." });
  return section({ "aria-label": "Failures by cause" },
    p({ class: "lead" }, counted(causes.length, "cause") + ` of ${counted(report.bad, "failure")}. `,
      "Failures that say the same, but for numbers, addresses and paths, are taken to have one cause."),
    ol({ class: "causes" }, causes.map((cause) => h(Cause, { report, cause }))));
}

const CAUSE_ROWS = 5;

function Cause({ report, cause }) {
  const [first] = cause.rows;
  const [diff, setDiff] = useState("");
  useEffect(() => {
    if (first.reason === "diff") report.details(first).then((details) => setDiff(details.diff ?? ""));
  }, []);
  const hidden = cause.rows.length - CAUSE_ROWS;
  const all = cause.number >= 0 && hidden > 0;
  return li({ class: "cause" },
    div({ class: "cause-head" },
      strong({ class: "number" }, cause.rows.length.toLocaleString("en")),
      badge(first.status),
      span({ class: "said" }, ...visible(first.said || "no message")),
      first.reason && first.reason !== first.said && code({ class: "quiet" }, ...visible(first.reason))),
    diff && pre({ class: "log sample" }, ...sample(diff)),
    ul(cause.rows.slice(0, CAUSE_ROWS).map((row) => li(pageLink(testPath(row.name), {}, testName(row.name))))),
    all && a({ class: "more", href: listPath({ query: `cause:${cause.number}`, group: "none", order: "status" }) },
      `all ${counted(cause.rows.length, "test")}`));
}

// The first changed lines of a diff: what failures of one cause have in common.
function sample(text) {
  const changed = text.split("\n").filter((line) => /^[-+](?![-+]{2} )/.test(line));
  const some = ["-", "+"].flatMap((sign) => changed.filter((line) => line[0] === sign).slice(0, 2));
  return some.map((line) => span({ class: `line ${KIND_CLASS[line[0]]}` }, ...visible(line)));
}
