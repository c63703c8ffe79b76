// Axes: from values to pixels, and where the ticks go. Pure functions of numbers.

export function makeScale(low, high, from, to, log) {
  const f = log ? Math.log10 : (v) => v;
  const a = f(low), b = f(high), k = (to - from) / (b - a || 1);
  const scale = (v) => from + (f(v) - a) * k;
  scale.invert = (p) => { const v = a + (p - from) / k; return log ? 10 ** v : v; };
  Object.assign(scale, { low, high, log });
  return scale;
}

export function ticks(low, high, wanted, log) {
  if (log && high / low >= 10) return logTicks(low, high, wanted);
  const rough = (high - low) / Math.max(wanted, 1), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) || rough;
  const out = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9 && out.length < 100; i++) out.push(i * step);
  return out.map((v) => (Math.abs(v) < step * 1e-9 ? 0 : v));
}

function logTicks(low, high, wanted) {
  const decades = Math.log10(high / low), first = Math.floor(Math.log10(low)), out = [];
  const factors = decades <= wanted / 3 ? [1, 2, 5] : [1], every = Math.max(1, Math.ceil(decades / wanted));
  for (let d = first; d <= Math.ceil(Math.log10(high)); d++) {
    if (factors.length === 1 && (d - first) % every) continue;
    for (const m of factors) { const v = m * 10 ** d; if (v >= low * 0.999999 && v <= high * 1.000001) out.push(v); }
  }
  return out;
}

const SUPER = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// `reach`: the greatest size on the axis; all ticks of a linear axis are written with its power of ten
export function tickText(v, reach = Math.abs(v)) {
  if (v === 0) return "0";
  if (reach < 1e5 && reach >= 1e-3) return String(+v.toPrecision(6));
  const power = Math.floor(Math.log10(reach) + 1e-9);
  const front = +(v / 10 ** power).toPrecision(6);
  const up = (power < 0 ? "⁻" : "") + String(Math.abs(power)).replace(/\d/g, (d) => SUPER[d]);
  return front === 1 ? `10${up}` : `${front}·10${up}`;
}

export function short(v) {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  const size = Math.abs(v);
  if (size >= 1e15 || (size > 0 && size < 1e-3)) return tickText(+v.toPrecision(4));
  for (const [limit, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (size >= limit) { const s = letter === "k" ? 1e3 : limit; return `${+(v / s).toPrecision(4)} ${letter}`; }
  }
  return String(+v.toPrecision(4));
}

// the size in pC/s of the unit that suits a beam current, and the unit
export function current(pCs) {
  return [[1e9, "mA"], [1e6, "µA"], [1e3, "nA"]].find(([size]) => pCs >= size) || [1, "pA"];
}

// a charge given in pC, with the unit that suits its size
export function charge(pC) {
  for (const [size, unit] of [[1e12, "C"], [1e9, "mC"], [1e6, "µC"], [1e3, "nC"]]) {
    if (pC >= size) return [+(pC / size).toPrecision(4), unit];
  }
  return [+pC.toPrecision(4), "pC"];
}

// a duration as [number, unit]: 0.7 ms, 35 ms, 4.2 s
export function took(seconds) {
  return seconds < 1 ? [+(seconds * 1000).toPrecision(2), "ms"] : [+seconds.toPrecision(3), "s"];
}
