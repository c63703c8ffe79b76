// Curves with error bars, and a picture of many spectra, on one canvas. Zoom is kept when new data come.
import { makeScale, short, tickText, ticks } from "./scale.js";

const RIGHT = 24, TOP = 12, BOTTOM = 46;
const GAP_SECONDS = 30;
const TICK_FONT = "12px system-ui, sans-serif";
const COLOURS = 8;
const STOPS = [[68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128], [94, 201, 98],
  [173, 220, 48], [253, 231, 37]];

export class Plot {
  constructor(canvas, { onRead, onZoom }) {
    Object.assign(this, { canvas, onRead, onZoom, curves: [], picture: null, zoom: null, cursor: null, drag: null });
    this.options = { logX: false, logY: false, errors: true, xLabel: "", yLabel: "", version: "" };
    this.fingers = new Map();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.listen();
  }

  // curves: [{label, colour, x, y, e, hidden}]; x has one value more than y for bins
  show(curves, options) {
    this.curves = curves; this.picture = null;
    Object.assign(this.options, options); this.draw();
  }

  showPicture(picture, options) {
    this.picture = picture; this.curves = [];
    Object.assign(this.options, options); this.draw();
  }

  set(options) { Object.assign(this.options, options); this.draw(); }

  setZoom(zoom) {
    this.zoom = zoom; this.onZoom(zoom !== null); this.draw();
  }

  colour(name) { return getComputedStyle(this.canvas).getPropertyValue(name).trim(); }

  // the part of each curve that is inside the zoom, as [first, last)
  visible(curve, low, high) {
    const n = curve.y.length, edges = curve.x.length > n;
    let a = lowerBound(curve.x, low) - (edges ? 1 : 0), b = lowerBound(curve.x, high) + 1;
    return [Math.max(a, 0), Math.min(b, n)];
  }

  ranges() {
    const shown = this.curves.filter((c) => !c.hidden && c.y.length);
    let low = Infinity, high = -Infinity;
    const sources = this.picture ? [this.picture] : shown;
    for (const { x } of sources) for (const v of [firstGood(x, this.options.logX), x[x.length - 1]]) {
      if (v !== undefined && v !== null) { low = Math.min(low, v); high = Math.max(high, v); }
    }
    if (this.zoom) [low, high] = this.zoom;
    if (!(high > low)) [low, high] = Number.isFinite(low) ? [low - 0.5, low + 0.5] : [0, 1];
    if (this.options.logX && low <= 0) low = high / 1e3;
    if (this.picture) return { low, high, bottom: this.picture.spectra[0], top: this.picture.spectra.at(-1) };
    const [bottom, top] = this.valueRange(shown, low, high);
    return { low, high, bottom, top };
  }

  valueRange(shown, low, high) {
    const { logY, errors } = this.options;
    let bottom = Infinity, top = -Infinity;
    for (const curve of shown) {
      const [a, b] = this.visible(curve, low, high);
      for (let i = a; i < b; i++) {
        const y = curve.y[i], e = errors && curve.e ? curve.e[i] || 0 : 0;
        if (y === null || (logY && y <= 0)) continue;
        bottom = Math.min(bottom, logY ? Math.max(y - e, y / 3) : y - e); top = Math.max(top, y + e);
      }
    }
    if (!(top >= bottom)) return logY ? [0.1, 10] : [0, 1];
    if (logY) return [bottom / 1.3, top * 1.5];
    if (bottom >= 0 && bottom < top * 0.5) bottom = 0;
    const room = (top - bottom || Math.abs(top) || 1) * 0.06;
    return [bottom === 0 ? 0 : bottom - room, top + room];
  }

  draw() {
    const { canvas } = this, ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return;
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    const g = this.g = canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    const right = width - RIGHT, top = TOP, bottom = height - BOTTOM, r = this.ranges();
    this.sy = makeScale(r.bottom, r.top, bottom, top, this.options.logY && !this.picture);
    g.font = TICK_FONT;
    const widest = Math.max(...this.rows().map(([, text]) => g.measureText(text).width)), left = Math.max(width < 500 ? 56 : 68, widest + 34);
    this.area = { left, right, top, bottom };
    this.sx = makeScale(r.low, r.high, left, right, this.options.logX);
    this.axes();
    g.save(); g.beginPath(); g.rect(left, top, right - left, bottom - top); g.clip();
    let points = 0;
    if (this.picture) points = this.drawPicture(ratio);
    else for (const curve of this.curves) if (!curve.hidden) points += this.drawCurve(curve);
    this.drawCursor();
    g.restore();
    Object.assign(canvas.dataset, { drawn: points, curves: this.curves.length, version: this.options.version,
      top: r.top, bottom: r.bottom, low: r.low, high: r.high });
  }

  // ticks of the vertical axis, and what is written beside them
  rows() {
    const { sy } = this, height = Math.abs(sy(sy.high) - sy(sy.low));
    return ticks(sy.low, sy.high, height / 46, sy.log).map((v) => [v, tickText(v, reach(sy, sy.log))]);
  }

  axes() {
    const { g, sx, sy, area, options } = this, { left, right, top, bottom } = area;
    if (!this.curves.length && !this.picture) return;
    g.font = TICK_FONT; g.lineWidth = 1; g.strokeStyle = this.colour("--grid");
    g.fillStyle = this.colour("--soft"); g.textAlign = "center"; g.textBaseline = "top";
    for (const v of ticks(sx.low, sx.high, (right - left) / 75, options.logX)) {
      const p = Math.round(sx(v)) + 0.5;
      line(g, p, top, p, bottom); g.fillText(tickText(v, reach(sx, options.logX)), p, bottom + 7);
    }
    g.textAlign = "right"; g.textBaseline = "middle";
    for (const [v, text] of this.rows()) {
      const p = Math.round(sy(v)) + 0.5;
      if (!this.picture) line(g, left, p, right, p);
      g.fillText(text, left - 7, p);
    }
    g.strokeStyle = this.colour("--line"); g.strokeRect(left + 0.5, top + 0.5, right - left, bottom - top);
    g.fillStyle = this.colour("--text"); g.font = "13px system-ui, sans-serif"; g.textAlign = "center";
    g.fillText(options.xLabel, (left + right) / 2, bottom + 34);
    g.save(); g.translate(13, (top + bottom) / 2); g.rotate(-Math.PI / 2);
    g.fillText(this.picture ? "index" : options.yLabel, 0, 0); g.restore();
  }

  drawCurve(curve) {
    const { g, sx, options } = this, [a, b] = this.visible(curve, sx.low, sx.high);
    if (b <= a) return 0;
    g.strokeStyle = g.fillStyle = this.colour(`--c${curve.colour % COLOURS}`);
    const dense = (b - a) > (this.area.right - this.area.left) * 1.5;
    if (dense) this.drawDense(curve, a, b);
    else {
      if (options.errors && curve.e) this.drawErrors(curve, a, b);
      curve.x.length > curve.y.length ? this.drawSteps(curve, a, b) : this.drawPoints(curve, a, b);
    }
    return b - a;
  }

  // where a value is on the canvas; zero and negative values lie below a logarithmic axis
  py(v) { return this.sy.log && v <= 0 ? this.area.bottom + 20 : this.sy(v); }
  px(v) { return this.sx.log && v <= 0 ? this.area.left - 20 : this.sx(v); }

  drawSteps({ x, y }, a, b) {
    const { g } = this;
    g.lineWidth = 1.4; g.beginPath();
    let pen = false;
    for (let i = a; i < b; i++) {
      if (y[i] === null) { pen = false; continue; }
      const p = this.py(y[i]);
      pen ? g.lineTo(this.px(x[i]), p) : g.moveTo(this.px(x[i]), p);
      g.lineTo(this.px(x[i + 1]), p); pen = true;
    }
    g.stroke();
  }

  drawPoints({ x, y }, a, b) {
    const { g } = this;
    g.lineWidth = 1.2; g.globalAlpha = 0.6; g.beginPath();
    let pen = false;
    for (let i = a; i < b; i++) {
      if (y[i] === null) { pen = false; continue; }
      pen ? g.lineTo(this.px(x[i]), this.py(y[i])) : g.moveTo(this.px(x[i]), this.py(y[i])); pen = true;
    }
    g.stroke(); g.globalAlpha = 1;
    for (let i = a; i < b; i++) if (y[i] !== null) { g.beginPath(); g.arc(this.px(x[i]), this.py(y[i]), 2.2, 0, 7); g.fill(); }
  }

  drawErrors({ x, y, e }, a, b) {
    const { g } = this, edges = x.length > y.length;
    g.lineWidth = 1; g.globalAlpha = 0.42; g.beginPath();
    for (let i = a; i < b; i++) {
      if (y[i] === null || !e[i]) continue;
      const p = edges ? (this.px(x[i]) + this.px(x[i + 1])) / 2 : this.px(x[i]);
      g.moveTo(p, this.py(y[i] - e[i])); g.lineTo(p, this.py(y[i] + e[i]));
    }
    g.stroke(); g.globalAlpha = 1;
  }

  // more bins than pixels: for each column of pixels the range of values, over a paler range of errors
  drawDense({ x, y, e }, a, b) {
    const { g } = this, columns = new Map();
    for (let i = a; i < b; i++) {
      if (y[i] === null) continue;
      const p = Math.round(this.px(x[i])), d = e && this.options.errors ? e[i] || 0 : 0, c = columns.get(p);
      if (!c) columns.set(p, [y[i], y[i], y[i] - d, y[i] + d]);
      else { c[0] = Math.min(c[0], y[i]); c[1] = Math.max(c[1], y[i]); c[2] = Math.min(c[2], y[i] - d); c[3] = Math.max(c[3], y[i] + d); }
    }
    g.globalAlpha = 0.25;
    for (const [p, c] of columns) g.fillRect(p, this.py(c[3]), 1, Math.max(this.py(c[2]) - this.py(c[3]), 1));
    g.globalAlpha = 1; g.lineWidth = 1; g.beginPath();
    let pen = false;
    for (const [p, c] of columns) {
      pen ? g.lineTo(p + 0.5, this.py(c[1])) : g.moveTo(p + 0.5, this.py(c[1]));
      g.lineTo(p + 0.5, this.py(c[0])); pen = true;
    }
    g.stroke();
  }

  drawPicture(ratio) {
    const { g, area, picture, sx, sy } = this, { left, right, top, bottom } = area;
    const width = Math.round((right - left) * ratio), height = Math.round((bottom - top) * ratio);
    const [low, high] = pictureRange(picture.values, this.options.logY), log = this.options.logY;
    const column = Array.from({ length: width }, (_, p) => upperBound(picture.x, sx.invert(left + (p + 0.5) / ratio)) - 1);
    const image = g.createImageData(width, height), table = colourTable();
    for (let q = 0; q < height; q++) {
      const row = picture.values[upperBound(picture.spectra, sy.invert(top + (q + 0.5) / ratio)) - 1];
      for (let p = 0; row && p < width; p++) {
        const v = row[column[p]];
        if (v === undefined || v === null || (log && v <= 0)) continue;
        const t = log ? Math.log(v / low) / Math.log(high / low || 1) : (v - low) / (high - low || 1);
        const k = 4 * (q * width + p), c = 3 * Math.max(0, Math.min(255, Math.round(t * 255)));
        image.data[k] = table[c]; image.data[k + 1] = table[c + 1]; image.data[k + 2] = table[c + 2]; image.data[k + 3] = 255;
      }
    }
    g.putImageData(image, Math.round(left * ratio), Math.round(top * ratio));
    return picture.values.length * picture.values[0].length;
  }

  drawCursor() {
    const { g, area, cursor, drag } = this;
    if (drag && Math.abs(drag.to - drag.from) > 3) {
      g.fillStyle = this.colour("--link"); g.globalAlpha = 0.15;
      g.fillRect(Math.min(drag.from, drag.to), area.top, Math.abs(drag.to - drag.from), area.bottom - area.top); g.globalAlpha = 1;
    }
    if (cursor === null) return;
    g.strokeStyle = this.colour("--soft"); g.setLineDash([3, 3]); line(g, cursor, area.top, cursor, area.bottom); g.setLineDash([]);
  }

  readAt(p) {
    this.cursor = p === null ? null : Math.max(this.area.left, Math.min(this.area.right, p));
    this.onRead(p === null ? [] : this.valuesAt(this.sx.invert(this.cursor))); this.draw();
  }

  valuesAt(at) {
    if (this.picture) return this.cellAt(at);
    return this.curves.filter((c) => !c.hidden && c.y.length).map((c) => {
      const edges = c.x.length > c.y.length, i = edges ? upperBound(c.x, at) - 1 : nearest(c.x, at);
      if (i < 0 || i >= c.y.length) return null;
      const x = edges ? `${digits(c.x[i], c.x[i + 1])} … ${digits(c.x[i + 1], c.x[i])}` : short(c.x[i]);
      return { label: c.label, colour: c.colour, x, y: c.y[i], e: c.e ? c.e[i] : null };
    }).filter(Boolean);
  }

  cellAt(at) {
    const { x, spectra, values } = this.picture, i = upperBound(x, at) - 1;
    const q = upperBound(spectra, this.sy.invert(this.row ?? this.area.bottom - 1)) - 1;
    if (!values[q] || values[q][i] === undefined) return [];
    const last = spectra[q + 1] - 1, label = last > spectra[q] ? `index ${spectra[q]}–${last}` : `index ${spectra[q]}`;
    return [{ label, colour: 0, x: `${digits(x[i], x[i + 1])} … ${digits(x[i + 1] ?? x[i], x[i])}`, y: values[q][i], e: null, named: true }];
  }

  // ---- pointer, wheel, keys ----

  listen() {
    const { canvas } = this, at = (event) => event.clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId); this.fingers.set(event.pointerId, at(event));
      if (this.fingers.size === 2) { this.drag = null; this.pinch = { from: [...this.fingers.values()], low: this.sx.low, high: this.sx.high }; }
      else if (event.pointerType === "mouse" && event.button === 0) this.drag = { from: at(event), to: at(event) };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, at(event));
      if (this.pinch && this.fingers.size === 2) return this.pinched([...this.fingers.values()]);
      if (this.drag) this.drag.to = at(event);
      this.row = event.clientY - canvas.getBoundingClientRect().top;
      this.readAt(at(event));
    });
    const up = (event) => {
      this.fingers.delete(event.pointerId);
      if (this.fingers.size < 2) this.pinch = null;
      const drag = this.drag; this.drag = null;
      if (drag && event.type === "pointerup" && Math.abs(drag.to - drag.from) > 5) this.zoomTo(drag.from, drag.to);
    };
    canvas.addEventListener("pointerup", up); canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => this.readAt(null));
    canvas.addEventListener("blur", () => this.readAt(null));
    canvas.addEventListener("dblclick", () => this.setZoom(null));
    canvas.addEventListener("wheel", (event) => { if (event.ctrlKey || event.shiftKey || document.activeElement === canvas) {
      event.preventDefault(); this.zoomBy(event.deltaY + event.deltaX > 0 ? 1.25 : 0.8, at(event)); } }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const middle = this.cursor ?? (this.area.left + this.area.right) / 2, step = event.shiftKey ? 25 : 2;
    const act = {
      ArrowLeft: () => this.readAt(middle - step), ArrowRight: () => this.readAt(middle + step),
      "+": () => this.zoomBy(0.6, middle), "=": () => this.zoomBy(0.6, middle), "-": () => this.zoomBy(1 / 0.6, middle),
      0: () => this.setZoom(null), Escape: () => this.readAt(null),
    }[event.key];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
  }

  zoomTo(p, q) {
    const clamp = (v) => Math.max(this.area.left, Math.min(this.area.right, v));
    this.setZoom([this.sx.invert(clamp(Math.min(p, q))), this.sx.invert(clamp(Math.max(p, q)))]);
  }

  zoomBy(factor, p) {
    const { left, right } = this.area;
    this.setZoom([this.sx.invert(p - (p - left) * factor), this.sx.invert(p + (right - p) * factor)]);
  }

  pinched(now) {
    const [a, b] = this.pinch.from, [c, d] = now, { left, right } = this.area;
    const s = makeScale(this.pinch.low, this.pinch.high, left, right, this.options.logX), k = (b - a) / (d - c || 1);
    if (k > 0) this.setZoom([s.invert(a + (left - c) * k), s.invert(a + (right - c) * k)]);
  }
}

// a line of the last minutes: values [[time in s, value], ...]
// values [time, value or null] of the seconds before now, which began `since`; `say` writes a value with its unit
export function spark(canvas, values, now, seconds, since, say) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  canvas.width = width * ratio; canvas.height = height * ratio;
  const g = canvas.getContext("2d"), style = getComputedStyle(canvas);
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  const known = values.filter(([, v]) => v !== null), top = known.reduce((most, [, v]) => Math.max(most, v), 0) || 1;
  const sx = makeScale(now - seconds, now, 4, width - 4, false), sy = makeScale(0, top * 1.1, height - 16, 4, false);
  g.strokeStyle = style.getPropertyValue("--grid"); line(g, 4, sy(top), width - 4, sy(top)); line(g, 4, sy(0), width - 4, sy(0));
  g.fillStyle = style.getPropertyValue("--soft"); g.font = "11px system-ui, sans-serif"; g.textBaseline = "top";
  g.fillText(since, 4, height - 12); g.textAlign = "right"; g.fillText("now", width - 4, height - 12); g.textAlign = "left";
  g.fillText(known.length ? say(top) : "not known", 5, sy(top) + 2);
  g.strokeStyle = style.getPropertyValue("--c0"); g.lineWidth = 1.6; g.beginPath();
  let before = -Infinity;
  for (const [t, v] of known) {
    t - before > GAP_SECONDS ? g.moveTo(sx(t), sy(v)) : g.lineTo(sx(t), sy(v));
    before = t;
  }
  g.stroke();
  canvas.dataset.drawn = known.length; canvas.dataset.top = top;
}

function line(g, a, b, c, d) { g.beginPath(); g.moveTo(a, b); g.lineTo(c, d); g.stroke(); }

function lowerBound(list, v) { let a = 0, b = list.length; while (a < b) { const m = (a + b) >> 1; list[m] < v ? (a = m + 1) : (b = m); } return a; }
function upperBound(list, v) { let a = 0, b = list.length; while (a < b) { const m = (a + b) >> 1; list[m] <= v ? (a = m + 1) : (b = m); } return a; }
function nearest(list, v) { const i = lowerBound(list, v); return i > 0 && (i === list.length || v - list[i - 1] < list[i] - v) ? i - 1 : i; }
function firstGood(x, log) { return log ? x.find((v) => v > 0) : x[0]; }

// as many digits as tell two neighbouring edges apart
function digits(v, other) {
  const d = Math.abs(v - other), n = d > 0 ? Math.ceil(Math.log10(Math.max(Math.abs(v), d) / d)) + 2 : 5;
  return String(+v.toPrecision(Math.max(3, Math.min(n, 12))));
}

function pictureRange(values, log) {
  let low = Infinity, high = -Infinity;
  for (const row of values) for (const v of row) if (v !== null && (!log || v > 0)) { low = Math.min(low, v); high = Math.max(high, v); }
  return Number.isFinite(low) ? [low, high] : [0.1, 1];
}

function colourTable() {
  const out = new Uint8Array(768);
  for (let i = 0; i < 256; i++) {
    const t = i / 255 * (STOPS.length - 1), k = Math.min(Math.floor(t), STOPS.length - 2), f = t - k;
    for (let c = 0; c < 3; c++) out[3 * i + c] = Math.round(STOPS[k][c] * (1 - f) + STOPS[k + 1][c] * f);
  }
  return out;
}

// what ticks are written by: on a logarithmic axis each stands for itself
function reach(scale, log) {
  return log ? undefined : Math.max(Math.abs(scale.low), Math.abs(scale.high));
}
