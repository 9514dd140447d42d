"use strict";
// Functions that make elements (`div({class: "x"}, child, ...)`), icons, and numbers for people.

const { h, render } = preact;
const { useState, useEffect, useLayoutEffect, useMemo, useRef } = preactHooks;

function tag(name) {
  return (first, ...rest) =>
    first && first.constructor === Object ? h(name, first, ...rest) : h(name, null, first, ...rest);
}

const [a, button, canvas, code, dd, div, dl, dt, h1, h2, h3, header, input, kbd, label, li, main] =
  ["a", "button", "canvas", "code", "dd", "div", "dl", "dt", "h1", "h2", "h3", "header", "input",
   "kbd", "label", "li", "main"].map(tag);
const [nav, ol, option, p, pre, section, select, span, strong, table, tbody, td, th, thead, tr, ul] =
  ["nav", "ol", "option", "p", "pre", "section", "select", "span", "strong", "table", "tbody",
   "td", "th", "thead", "tr", "ul"].map(tag);

// What is known of each status: the class that colours it, its icon, what it is called in counts.
const STATUSES = {
  FAIL: ["fail", "cross", "failed"],
  ERROR: ["error", "bang", "with an error"],
  XPASS: ["surprise", "bang", "passed unexpectedly"],
  VERIFY: ["verify", "question", "to verify"],
  PASS: ["pass", "check", "passed"],
  XFAIL: ["expected", "cross", "failed as expected"],
  SKIP: ["skip", "dash", "skipped"],
  NOT_APPLICABLE: ["skip", "dash", "not applicable"],
};
const STATUS_ORDER = Object.keys(STATUSES);
const BAD = new Set(["FAIL", "ERROR"]);
const PASSING = new Set(["PASS", "XPASS", "VERIFY"]);

const ICONS = {
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4.5 4.5l7 7m0-7l-7 7",
  bang: "M8 3.5v5.5m0 3v.5",
  question: "M6 6a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1v.4m0 2.7v.2",
  dash: "M4.5 8h7",
  left: "M9.5 4l-4 4 4 4",
  copy: "M6 6V3.5h6.5V10H10M3.5 6H10v6.5H3.5z",
  sun: "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6M8 1.5v1m0 11v1M1.5 8h1m11 0h1M3.4 3.4l.7.7m7.8 7.8l.7.7m0-9.2l-.7.7m-7.8 7.8l-.7.7",
};

function icon(name) {
  return h("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" },
    h("path", { d: ICONS[name] }));
}

function badge(status) {
  const [kind, shape] = STATUSES[status];
  return span({ class: `badge ${kind}` }, icon(shape), status.replace("_", " "));
}

function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  if (value < 9.995) return `${value.toFixed(2)} s`;
  if (value < 99.5) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function bytes(value) {
  if (value < 1024) return `${value} B`;
  const power = Math.min(3, Math.floor(Math.log2(value) / 10));
  const size = value / 1024 ** power;
  return `${size.toFixed(size < 10 ? 1 : 0)} ${["B", "KiB", "MiB", "GiB"][power]}`;
}

function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

// A link to a page of this report; `path` holds what was encoded already.
function pageLink(path, props, ...children) {
  return a({ ...props, href: `#/${path}` }, ...children);
}

function testPath(name) {
  return `test/${encodeURIComponent(name)}`;
}

// A name with the directories in it less loud than its last part.
function testName(name) {
  const at = Math.max(name.lastIndexOf("/") + 1, name.lastIndexOf("__") + 2);
  if (at < 2 || at >= name.length) return span({ class: "name" }, ...visible(name));
  return span({ class: "name" },
    span({ class: "directory" }, ...visible(name.slice(0, at))), ...visible(name.slice(at)));
}

function CopyButton({ text, what }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await copyText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return button({ class: "copy", onClick: copy, title: `Copy ${what}`, "aria-label": `Copy ${what}` },
    icon(done ? "check" : "copy"));
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages from the disk may not use the clipboard everywhere; this old way still works there.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function EmptyNote({ text }) {
  return p({ class: "empty" }, text);
}

// State that is remembered from page to page and from report to report, where browsers allow it.
function useStored(key, fallback) {
  const [value, setValue] = useState(() => stored(key) ?? fallback);
  return [value, (next) => {
    setValue(next);
    try {
      localStorage.setItem(`testloom.${key}`, next);
    } catch {
      // Not from the disk, in some browsers: then it holds for this page.
    }
  }];
}

function stored(key) {
  try {
    return localStorage.getItem(`testloom.${key}`);
  } catch {
    return null;
  }
}
