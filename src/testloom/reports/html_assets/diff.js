// Reads unified diffs, finds the words that changed, and shows both sides.

const MOST_CELLS = 250_000; // of the table that compares two lines word by word

// Return the diffs of a text: [{title, files: [old, new], hunks: [{old, new, lines}]}].  A line is
// {kind, text, old, new}: kind "-", "+", " " or "\", and its numbers on the sides on which it is.
function parseDiff(text) {
  const diffs = [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  let title = "", diff = null, hunk = null, left = 0, right = 0, oldAt = 0, newAt = 0;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at];
    const kind = line[0] ?? " ";
    if (hunk && (left > 0 || right > 0 || kind === "\\") && "-+ \\".includes(kind)) {
      const parsed = { kind, text: line.slice(1) };
      if (kind === "-" || kind === " ") parsed.old = oldAt++, left--;
      if (kind === "+" || kind === " ") parsed.new = newAt++, right--;
      hunk.lines.push(parsed);
      continue;
    }
    if (hunk && /^\.\.\. \d+ bytes dropped \.\.\.$/.test(line)) {
      hunk.lines.push({ kind: "\\", text: ` ${line}` });
      left = right = Infinity; // nobody knows how many lines of this hunk are left
      continue;
    }
    const found = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (found) {
      if (!diff) diffs.push((diff = { title, files: ["expected", "output"], hunks: [] }));
      [oldAt, left, newAt, right] = [1, 2, 3, 4].map((n) => Number(found[n] ?? 1));
      // An empty range is named by the line above it.
      if (left === 0) oldAt++;
      if (right === 0) newAt++;
      diff.hunks.push((hunk = { old: oldAt, new: newAt, lines: [] }));
    } else if (line.startsWith("--- ") && lines[at + 1]?.startsWith("+++ ")) {
      diffs.push((diff = { title, files: [line.slice(4), lines[++at].slice(4)], hunks: [] }));
      hunk = null;
      title = "";
    } else {
      hunk = null;
      title = line.replace(/^Diff failure: /, "") || title;
    }
  }
  return diffs.filter((one) => one.hunks.length);
}

// Return the rows of a hunk: [left, right], each a line or null; equal lines stand on both sides.
function pairedRows(hunk) {
  const rows = [];
  const lines = hunk.lines;
  for (let at = 0; at < lines.length; ) {
    if (lines[at].kind !== "-" && lines[at].kind !== "+") {
      rows.push([lines[at], lines[at++]]);
      continue;
    }
    const removed = [], added = [];
    while (lines[at]?.kind === "-" || lines[at]?.kind === "\\") removed.push(lines[at++]);
    while (lines[at]?.kind === "+" || lines[at]?.kind === "\\") added.push(lines[at++]);
    rows.push(...alignedLines(removed, added));
  }
  return rows;
}

// Put removed lines beside the added ones that they became.
function alignedLines(removed, added) {
  const rows = [];
  let next = 0;
  removed.forEach((line, at) => {
    let partner = next;
    if (removed.length !== added.length) {
      const last = Math.min(added.length, next + 10);
      while (partner < last && likeness(line.text, added[partner].text) < 0.5) partner++;
      // Nothing is like it: it stands alone unless enough lines are left for all.
      if (partner === last) partner = added.length - next >= removed.length - at ? next : -1;
    }
    if (partner < 0 || partner >= added.length) return rows.push([line, null]);
    while (next < partner) rows.push([null, added[next++]]);
    rows.push([line, added[next++]]);
  });
  while (next < added.length) rows.push([null, added[next++]]);
  return rows;
}

function tokens(text) {
  return text.match(/[\p{L}\p{N}_]+|\s|[^]/gu) ?? [];
}

// Return how much of the words two texts share: 0 to 1.
function likeness(one, other) {
  const words = (text) => tokens(text.slice(0, 1000)).filter((word) => word.trim());
  const before = words(one), after = words(other);
  const count = new Map();
  for (const word of before) count.set(word, (count.get(word) ?? 0) + word.length);
  let shared = 0;
  for (const word of after) {
    const there = count.get(word) ?? 0;
    if (there > 0) shared += word.length, count.set(word, there - word.length);
  }
  const total = [...before, ...after].reduce((sum, word) => sum + word.length, 0);
  return total ? (2 * shared) / total : 1;
}

// Return both texts in pieces [text, changed]; null if they have too little in common.
function changedWords(one, other) {
  const before = tokens(one), after = tokens(other);
  let start = 0, beforeEnd = before.length, afterEnd = after.length;
  while (start < beforeEnd && start < afterEnd && before[start] === after[start]) start++;
  while (beforeEnd > start && afterEnd > start && before[beforeEnd - 1] === after[afterEnd - 1]) {
    beforeEnd--;
    afterEnd--;
  }
  const kept = commonTokens(before.slice(start, beforeEnd), after.slice(start, afterEnd));
  const sides = [[before, beforeEnd, kept[0]], [after, afterEnd, kept[1]]].map(
    ([all, end, inside]) => pieces(all, (at) => at < start || at >= end || inside.has(at - start)),
  );
  if (one.trim() && other.trim() && likeness(one, other) < 0.3) return null;
  return sides;
}

// Return which tokens stay in a longest common subsequence, by their places on each side.
function commonTokens(before, after) {
  const kept = [new Set(), new Set()];
  const width = after.length + 1;
  if (!before.length || !after.length || before.length * width > MOST_CELLS) return kept;
  const length = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      length[i * width + j] = before[i] === after[j]
        ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < before.length && j < after.length; ) {
    if (before[i] === after[j]) kept[0].add(i++), kept[1].add(j++);
    else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) i++;
    else j++;
  }
  return kept;
}

function pieces(all, isKept) {
  const found = [];
  all.forEach((token, at) => {
    let changed = !isKept(at);
    // A blank between two changed words changed with them.
    if (!changed && !token.trim() && at > 0 && at + 1 < all.length) {
      changed = !isKept(at - 1) && !isKept(at + 1);
    }
    if (found.length && found.at(-1)[1] === changed) found.at(-1)[0] += token;
    else found.push([token, changed]);
  });
  return found;
}

const BLANKS = { " ": "\u00b7", "\t": "\u2192\t", "\r": "\u240d", "\u00a0": "\u237d" };

// Return children for a piece of a line; blanks are shown where they matter.
function withBlanks(text, everywhere) {
  if (!everywhere) return visible(text);
  return text.split(/([ \t\r\u00a0]+)/).flatMap((part, at) =>
    at % 2 ? [span({ class: "blank" }, part.replace(/[ \t\r\u00a0]/g, (c) => BLANKS[c]))] : visible(part));
}

// Return the children of one side of a row.
function lineContent(line, other, blanks) {
  if (line.kind === " " || line.kind === "\\") return withBlanks(line.text, blanks && line.kind === " ");
  const sides = other && (line.kind === "-"
    ? changedWords(line.text, other.text)?.[0] : changedWords(other.text, line.text)?.[1]);
  const parts = sides ?? [[line.text, false]];
  const children = parts.flatMap(([text, changed]) => {
    const content = withBlanks(text, blanks || (changed && !text.trim()));
    return changed ? [h(line.kind === "-" ? "del" : "ins", null, ...content)] : content;
  });
  const trailing = /[ \t\r]+$/.exec(line.text);
  if (!trailing || blanks) return children;
  return [...lineContent({ ...line, text: line.text.slice(0, trailing.index) },
    other && { ...other, text: other.text.replace(/[ \t\r]+$/, "") }, blanks),
    span({ class: "trailing" }, ...withBlanks(trailing[0], true))];
}

const KIND_CLASS = { "-": "removed", "+": "added", " ": "same", "\\": "remark" };

function DiffView({ text, expected }) {
  const diffs = useMemo(() => parseDiff(text), [text]);
  const [layout, setLayout] = useStored("diff", innerWidth < 900 ? "unified" : "split");
  const [blanks, setBlanks] = useState(false);
  if (!diffs.length) return pre({ class: "log" }, ...colored(text));
  const full = diffs.length === 1 ? fullLines(diffs[0], expected) : null;
  return div(
    div({ class: "tools" },
      div({ class: "choice", role: "group", "aria-label": "Layout" },
        [["split", "Side by side"], ["unified", "Unified"]].map(([value, name]) =>
          button({ "aria-pressed": String(layout === value), onClick: () => setLayout(value) }, name))),
      label({ class: "check" },
        input({ type: "checkbox", checked: blanks, onChange: (event) => setBlanks(event.target.checked) }),
        "Show white space")),
    diffs.map((diff) => h(OneDiff, { diff, layout, blanks, full })));
}

// Return the lines of the whole expected text if the diff is truly about them, else null.
function fullLines(diff, expected) {
  const lines = expected?.split("\n").map((line) => line.replace(/\r$/, ""));
  const fits = lines && diff.hunks.every((hunk) =>
    hunk.lines.every((line) => line.old === undefined || lines[line.old - 1] === line.text));
  if (!fits) return null;
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function OneDiff({ diff, layout, blanks, full }) {
  const [opened, setOpened] = useState({});
  const split = layout === "split";
  const rows = [];
  let oldEnd = 1, newEnd = 1;
  const gap = (number, until) => {
    const hidden = until - oldEnd;
    if (full && hidden > 0 && opened[number]) {
      for (let at = 0; at < hidden; at++) {
        const line = { kind: " ", text: full[oldEnd - 1 + at], old: oldEnd + at, new: newEnd + at };
        rows.push(h(DiffRow, { left: line, right: line, split, blanks }));
      }
    } else if (full ? hidden > 0 : number > 0 && number < diff.hunks.length) {
      const says = full ? `Show ${counted(hidden, "equal line")}` : "\u22ef";
      rows.push(tr({ class: "gap" }, td({ colSpan: split ? 4 : 3 }, full
        ? button({ onClick: () => setOpened({ ...opened, [number]: true }) }, says) : says)));
    }
  };
  diff.hunks.forEach((hunk, number) => {
    gap(number, hunk.old);
    for (const [left, right] of pairedRows(hunk)) {
      rows.push(h(DiffRow, { left, right, split, blanks }));
    }
    const last = (key) => hunk.lines.reduce((max, line) => Math.max(max, (line[key] ?? -1) + 1), hunk[key]);
    [oldEnd, newEnd] = [last("old"), last("new")];
  });
  if (full) gap(diff.hunks.length, full.length + 1);
  return div({ class: "diff" },
    diff.title && p({ class: "title" }, ...visible(diff.title)),
    table({ class: split ? "split" : "unified" },
      h("colgroup", null, (split ? ["number", "", "number", ""] : ["number", "number", ""]).map((kind) =>
        h("col", { class: kind }))),
      thead(tr(split
        ? [th({ colSpan: 2, scope: "col" }, "\u2212 ", ...visible(diff.files[0])),
           th({ colSpan: 2, scope: "col" }, "+ ", ...visible(diff.files[1]))]
        : th({ colSpan: 3, scope: "col" }, "\u2212 ", ...visible(diff.files[0]), "   + ",
            ...visible(diff.files[1])))),
      tbody(split ? rows : unifiedOrder(rows))));
}

// In one column, what was removed stands before what was added.
function unifiedOrder(rows) {
  const ordered = [];
  let added = [];
  for (const row of rows) {
    const { left, right } = row.props;
    if (row.type !== DiffRow || left === right) {
      ordered.push(...added, row);
      added = [];
      continue;
    }
    if (left) ordered.push(h(DiffRow, { ...row.props, only: left }));
    if (right) added.push(h(DiffRow, { ...row.props, only: right }));
  }
  return [...ordered, ...added];
}

function DiffRow({ left, right, split, blanks, only }) {
  if (split) return tr(...diffCells(left, right, blanks, "old"), ...diffCells(right, left, blanks, "new"));
  const line = only ?? left;
  const other = line === left ? right : left;
  return tr({ class: KIND_CLASS[line.kind] },
    td({ class: "number" }, line.old), td({ class: "number" }, line.new),
    td({ class: "line", "data-sign": line.kind === " " ? "" : line.kind },
      ...lineContent(line, other, blanks)));
}

function diffCells(line, other, blanks, side) {
  if (!line) return [td({ class: "number none" }), td({ class: "line none" })];
  const kind = KIND_CLASS[line.kind];
  return [td({ class: `number ${kind}` }, line[side]),
    td({ class: `line ${kind}`, "data-sign": line.kind === " " ? "" : line.kind },
      ...lineContent(line, other, blanks))];
}
