// The filter language: words that must all occur, `key:value`, quotes, and `-` for "not".
// Several values of one key: any of them.

const STATUS_WORDS = {
  failed: (row) => BAD.has(row.status),
  passed: (row) => PASSING.has(row.status),
  skipped: (row) => !BAD.has(row.status) && !PASSING.has(row.status),
};

// What a row has for each key; `exact` keys are not found by a part of the value.
const KEYS = {
  s: (row, value) => STATUS_WORDS[value]?.(row) ?? row.status.toLowerCase() === value,
  tag: (row, value) => row.tags.some((tag) => tag.toLowerCase() === value),
  driver: (row, value) => row.driver.toLowerCase() === value,
  reason: (row, value) => row.reason.toLowerCase().startsWith(value),
  name: (row, value) => row.name.toLowerCase().includes(value),
  slot: (row, value) => String(row.slot) === value,
  shard: (row, value) => row.shard.toLowerCase() === value,
  cause: (row, value) => String(row.cause) === value,
  is: (row, value) => Boolean(row[value]),
};
KEYS.status = KEYS.s;

function parseQuery(text) {
  const terms = [];
  for (const [, minus, key, quoted, plain] of text.toLowerCase().matchAll(
    /(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/g,
  )) {
    const known = key && Object.hasOwn(KEYS, key);
    const value = quoted ?? plain;
    terms.push({
      negated: minus === "-",
      key: known ? key : "",
      value: key && !known ? `${key}:${value}` : value,
    });
  }
  return terms;
}

// Return a function that tells whether a row is wanted.
function matcher(text) {
  const wanted = new Map();
  const tests = [];
  for (const { negated, key, value } of parseQuery(text)) {
    const test = key ? (row) => KEYS[key](row, value) : (row) => row.haystack.includes(value);
    if (negated) tests.push((row) => !test(row));
    else if (!key) tests.push(test);
    else if (wanted.has(key)) wanted.get(key).push(test);
    else wanted.set(key, [test]);
  }
  for (const any of wanted.values()) tests.push((row) => any.some((test) => test(row)));
  return (row) => tests.every((test) => test(row));
}

// Return the query with `term` put in, or taken out if it is there.
function toggled(text, term) {
  const words = text.split(/\s+/).filter(Boolean);
  const rest = words.filter((word) => word !== term);
  return (rest.length === words.length ? [...words, term] : rest).join(" ");
}

function quotedTerm(key, value) {
  return /[\s"]/.test(value) ? `${key}:"${value.replaceAll('"', "")}"` : `${key}:${value}`;
}
