// The results.  The page holds an index of all of them and blocks of details, each compressed.

async function unpack(id) {
  const packed = fromBase64(document.getElementById(id).textContent);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const data = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) data[at] = binary.charCodeAt(at);
  return data;
}

class Report {
  constructor(index) {
    Object.assign(this, index);
    const columns = Object.entries(index.columns);
    this.rows = index.columns.name.map((name, number) => {
      const row = { number };
      for (const [key, values] of columns) row[key] = values[number];
      row.status = index.statuses[row.status];
      row.test ??= name;
      row.shard = index.run.parts[row.part]?.name ?? "";
      row.said = row.message || row.reason;
      row.haystack = [name, row.said, row.reason, row.driver, ...row.tags].join("\n").toLowerCase();
      return row;
    });
    this.byName = new Map(this.rows.map((row) => [row.name, row]));
    this.counts = {};
    for (const row of this.rows) this.counts[row.status] = (this.counts[row.status] ?? 0) + 1;
    // What wants a look first; otherwise the order of the run.
    const rank = Object.fromEntries(STATUS_ORDER.map((status, at) => [status, Math.min(at, 4)]));
    this.inOrder = [...this.rows].sort((x, y) => rank[x.status] - rank[y.status] || x.number - y.number);
    this.loaded = new Map();
  }

  get bad() {
    return (this.counts.FAIL ?? 0) + (this.counts.ERROR ?? 0);
  }

  // Everything else that is known of a result: {log, diff, expected, out, processes, info, ...}.
  async details(row) {
    let block = this.blocks.length - 1;
    while (this.blocks[block] > row.number) block--;
    if (!this.loaded.has(block)) {
      if (this.loaded.size > 8) this.loaded.clear();
      this.loaded.set(block, unpack(`block-${block}`));
    }
    return (await this.loaded.get(block))[row.number - this.blocks[block]];
  }

  // The fragments: [{row, test, name, slot, started, took, ended, end, attempt, after, status}], and
  // which of them the end of the run waited for.
  get fragments() {
    this.unpackedSpans ??= unpack("spans").then((columns) => {
      const worst = new Map();
      for (const row of this.rows) {
        const known = worst.get(row.test);
        if (!known || STATUS_ORDER.indexOf(row.status) < STATUS_ORDER.indexOf(known.status)) {
          worst.set(row.test, row);
        }
      }
      const spans = columns.test.map((number, at) => {
        const test = columns.tests[number];
        const row = this.byName.get(test) ?? worst.get(test);
        const [started, took] = [columns.started[at], columns.took[at]];
        return { at, test, row, status: worst.get(test)?.status ?? "SKIP", name: columns.name[at],
          slot: columns.slot[at], started, took, ended: started + took, end: columns.end[at],
          attempt: columns.attempt[at], after: columns.after[at] };
      });
      return { spans, critical: columns.critical, chain: columns.chain };
    });
    return this.unpackedSpans;
  }

  // The failures by cause, the most frequent first: [{number, rows}, ...].
  get causes() {
    return (this.foundCauses ??= this.findCauses());
  }

  findCauses() {
    const groups = new Map();
    for (const row of this.rows) {
      if (!BAD.has(row.status)) continue;
      const key = row.cause < 0 ? `alone ${row.number}` : row.cause;
      if (!groups.has(key)) groups.set(key, { number: row.cause, rows: [] });
      groups.get(key).rows.push(row);
    }
    return [...groups.values()].sort((x, y) => y.rows.length - x.rows.length);
  }
}
