// Draws the timeline on a canvas: a lane for each slot, below them the time and how many ran.

const AXIS = 22;
const LOAD = 44; // height of the picture of how many ran
const LABEL = 40; // width of the numbers of slots

// Return the colours that the style gives to statuses and lines at this moment.
function colorsOf(element) {
  const probe = document.createElement("span");
  element.parentNode.append(probe);
  const color = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "quiet", "line", "paper", "sunken", "accent", "pass", "fail", "error", "skip", "expected", "surprise"];
  const found = Object.fromEntries(names.map((name) => [name, color(name)]));
  found.verify = found.surprise;
  probe.remove();
  return found;
}

function drawLanes(box, { from, to, lanes, spans, critical, lane, slots, load, height }) {
  const width = box.clientWidth;
  const scale = devicePixelRatio || 1;
  box.width = width * scale;
  box.height = height * scale;
  const pen = box.getContext("2d");
  pen.scale(scale, scale);
  const colors = colorsOf(box);
  const x = (time) => LABEL + ((time - from) / (to - from)) * (width - LABEL);
  const gap = lane > 12 ? 3 : 1;
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  lanes.forEach((inLane, slot) => {
    pen.fillStyle = colors.sunken;
    pen.fillRect(LABEL, slot * lane, width - LABEL, lane - gap);
    pen.fillStyle = colors.quiet;
    if (lane >= 12 || slot % 8 === 0) pen.fillText(String(slot), LABEL - 10, slot * lane + (lane - gap) / 2);
  });
  drawAxis(pen, { x, from, to, width, top: slots * lane, colors });
  pen.save();
  pen.beginPath();
  pen.rect(LABEL, 0, width - LABEL, height);
  pen.clip();
  const inSight = spans.filter((span) => span.ended >= from && span.started <= to);
  inSight.sort((one, other) => STATUS_ORDER.indexOf(other.status) - STATUS_ORDER.indexOf(one.status));
  for (const span of inSight) {
    const left = x(span.started);
    const wide = Math.max(1, x(span.ended) - left);
    // What passed stays in the background.
    pen.globalAlpha = BAD.has(span.status) ? 0.9 : 0.35;
    pen.fillStyle = colors[STATUSES[span.status][0]];
    pen.fillRect(left, span.slot * lane, wide > 3 ? wide - 1 : wide, lane - gap);
  }
  pen.globalAlpha = 1;
  drawNames(pen, inSight, { x, lane, gap, colors });
  drawCritical(pen, critical.map((at) => spans[at]), { x, lane, gap, colors });
  drawLoad(pen, load, { x, top: slots * lane + AXIS, slots, colors, from, to });
  pen.restore();
}

function drawNames(pen, spans, { x, lane, gap, colors }) {
  if (lane < 16) return;
  pen.textAlign = "left";
  for (const span of spans) {
    pen.fillStyle = BAD.has(span.status) ? colors.paper : colors.ink;
    const left = Math.max(LABEL, x(span.started));
    const room = x(span.ended) - left - 10;
    if (room < 40) continue;
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, room + 5, 1e5);
    pen.clip();
    pen.fillText(escaped(span.test.split(/\/|__/).at(-1)), left + 5, span.slot * lane + (lane - gap) / 2);
    pen.restore();
  }
}

// A line along the bottom of what is critical, and from lane to lane.
function drawCritical(pen, path, { x, lane, gap, colors }) {
  pen.strokeStyle = colors.ink;
  pen.lineWidth = 2;
  pen.beginPath();
  path.forEach((span, at) => {
    const y = span.slot * lane + lane - gap - 1;
    if (at) pen.lineTo(x(span.started), y);
    else pen.moveTo(x(span.started), y);
    pen.lineTo(x(span.ended), y);
  });
  pen.stroke();
}

function drawLoad(pen, load, { x, top, slots, colors, from, to }) {
  const y = (number) => top + LOAD - 2 - ((LOAD - 6) * number) / slots;
  pen.fillStyle = colors.accent;
  pen.globalAlpha = 0.25;
  pen.beginPath();
  pen.moveTo(x(from), y(0));
  let before = 0;
  for (const [time, number] of load) {
    pen.lineTo(x(time), y(before));
    pen.lineTo(x(time), y(number));
    before = number;
  }
  pen.lineTo(x(to), y(before));
  pen.lineTo(x(to), y(0));
  pen.fill();
  pen.globalAlpha = 1;
}

function drawAxis(pen, { x, from, to, width, top, colors }) {
  const step = niceStep((to - from) / (width / 110));
  pen.textAlign = "center";
  pen.fillStyle = colors.quiet;
  pen.strokeStyle = colors.line;
  pen.lineWidth = 1;
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
    pen.beginPath();
    pen.moveTo(Math.round(x(time)) + 0.5, 0);
    pen.lineTo(Math.round(x(time)) + 0.5, top + 3);
    pen.globalAlpha = 0.5;
    pen.stroke();
    pen.globalAlpha = 1;
    const label = `${time.toFixed(digits)} s`;
    const half = pen.measureText(label).width / 2;
    pen.fillText(label, Math.max(LABEL + half, Math.min(width - half, x(time))), top + AXIS / 2 + 1);
  }
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least || 1));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least) ?? 10 * power;
}
