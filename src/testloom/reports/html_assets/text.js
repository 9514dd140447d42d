// Text of any origin made visible.  Nothing here makes markup of it: all ends up in text nodes.

// The characters that would be invisible, or change how what is around them looks.
const UNSAFE = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ufff9-\\uffff\\ud800-\\udfff";
const UNSAFE_RUN = new RegExp(`[${UNSAFE}]`, "g");
const PAIR_OR_UNSAFE = new RegExp(`[\\ud800-\\udbff][\\udc00-\\udfff]|[${UNSAFE}]`, "g");
// Colours; other control sequences; what a terminal would be told (its title, links); line ends.
const ESCAPES = new RegExp(
  "\\x1b\\[([0-9;:]*)m|\\x1b\\[[0-?]*[ -/]*[@-~]|\\x1b[\\]PX^_][^\\x07\\x1b\\n]*(?:\\x07|\\x1b\\\\)?"
    + `|\\x1b[ -/]*[0-~]|(\\r(?=\\n))|[\\ud800-\\udbff][\\udc00-\\udfff]|([${UNSAFE}])`,
  "g",
);

function escapeOf(char) {
  const number = char.codePointAt(0);
  return number < 0x100
    ? `\\x${number.toString(16).padStart(2, "0")}`
    : `\\u${number.toString(16).padStart(4, "0")}`;
}

// Return the text with each character that cannot be seen as an escape, for titles and pictures.
function escaped(text) {
  return text.replace(PAIR_OR_UNSAFE, (found) => (found.length > 1 ? found : escapeOf(found)));
}

// Return children: the text, with each character that cannot be seen as a marked escape.
function visible(text) {
  if (text.search(UNSAFE_RUN) < 0) return [text];
  const children = [];
  let end = 0;
  for (const found of text.matchAll(PAIR_OR_UNSAFE)) {
    if (found[0].length > 1) continue;
    if (found.index > end) children.push(text.slice(end, found.index));
    children.push(span({ class: "control" }, escapeOf(found[0])));
    end = found.index + 1;
  }
  children.push(text.slice(end));
  return children;
}

// Return children: the text in the colours that a terminal would give it.  Other sequences for
// terminals are left out.
function colored(text) {
  const children = [];
  let end = 0;
  let style = {};
  const push = (part) => {
    if (part) children.push(styled(part, style));
  };
  for (const found of text.matchAll(ESCAPES)) {
    const [whole, codes, , unsafe] = found;
    if (!unsafe && whole.length === 2 && whole[0] !== "\x1b" && whole[0] !== "\r") continue;
    push(text.slice(end, found.index));
    end = found.index + whole.length;
    if (codes !== undefined) style = restyled(style, codes);
    if (unsafe) children.push(span({ class: "control" }, escapeOf(unsafe)));
  }
  push(text.slice(end));
  return children;
}

function styled(text, style) {
  const classes = Object.keys(style).filter((key) => style[key] === true);
  for (const side of ["fg", "bg"]) {
    if (typeof style[side] === "number") classes.push(`${side}-${style[side]}`);
  }
  const colors = {};
  if (typeof style.fg === "string") colors.color = style.fg;
  if (typeof style.bg === "string") colors.background = style.bg;
  if (!classes.length && !Object.keys(colors).length) return text;
  return span({ class: classes.join(" "), style: colors }, text);
}

const TURNED_ON = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "struck" };
const TURNED_OFF = {
  22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["reverse"], 29: ["struck"],
  39: ["fg"], 49: ["bg"],
};

// Return the style after the codes of one sequence, such as "1;31" or "38;5;208".
function restyled(style, codes) {
  let next = { ...style };
  const numbers = codes.split(/[;:]/).map(Number);
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at];
    if (number === 0) next = {};
    else if (TURNED_ON[number]) next[TURNED_ON[number]] = true;
    else if (TURNED_OFF[number]) for (const key of TURNED_OFF[number]) delete next[key];
    else if (number >= 30 && number <= 37) next.fg = number - 30;
    else if (number >= 40 && number <= 47) next.bg = number - 40;
    else if (number >= 90 && number <= 97) next.fg = number - 82;
    else if (number >= 100 && number <= 107) next.bg = number - 92;
    else if (number === 38 || number === 48) {
      const side = number === 38 ? "fg" : "bg";
      if (numbers[at + 1] === 5) next[side] = paletteColor(numbers[at + 2]);
      if (numbers[at + 1] === 2) next[side] = `rgb(${numbers.slice(at + 2, at + 5).map(byte).join(" ")})`;
      at += numbers[at + 1] === 5 ? 2 : 4;
    }
  }
  return next;
}

// Return the number of one of the 16 colours that themes choose, or a colour that is fixed.
function paletteColor(number) {
  if (!(number >= 0 && number <= 255)) return undefined;
  if (number < 16) return number;
  if (number >= 232) return `rgb(${Array(3).fill(8 + 10 * (number - 232)).join(" ")})`;
  const part = (value) => (value ? 55 + 40 * value : 0);
  const cube = number - 16;
  return `rgb(${[Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map(part).join(" ")})`;
}

function byte(number) {
  return Math.max(0, Math.min(255, number || 0));
}
