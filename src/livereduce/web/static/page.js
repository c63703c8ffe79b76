// The page: asks for the status once a second, for curves when /api/events says there are newer ones.
import { Plot, spark } from "./plot.js";
import { charge, current, short, took } from "./scale.js";

const $ = (id) => document.getElementById(id);
const TONE = { running: "good", reprocessing: "calm", "waiting for run": "calm", paused: "calm", starting: "calm",
  stopping: "calm", "beam off": "warn", "script slow": "warn", "source lost": "bad", "script error": "bad",
  "reducer failing": "bad" };
const FEW = 8, HISTORY_SECONDS = 600;
const memory = { status: null, heard: 0, list: [], versions: {}, chosen: null, curves: [], hidden: new Set(), history: [], rates: [], shown: "" };

const plot = new Plot($("plot"), { onRead: read, onZoom: (zoomed) => { $("whole").hidden = !zoomed; } });

async function get(url) {
  const answer = await fetch(url);
  const body = await answer.json();
  if (!answer.ok || answer.status === 202) throw Object.assign(new Error(body.detail || answer.statusText), { status: answer.status });
  return body;
}

// ---- status ----

async function everySecond() {
  try {
    show(await get("/api/status"));
    memory.heard = Date.now();
  } catch (error) { noContact(error); }
  setTimeout(everySecond, 1000);
}

function noContact() {
  const since = memory.heard ? ` for ${age((Date.now() - memory.heard) / 1000)}` : "";
  state("no contact", `livereduce has not answered${since}; below is the last it said.`, "");
}

function state(word, sentence, tone) {
  if ($("word").textContent !== word) $("word").textContent = word;
  if ($("sentence").textContent !== sentence) $("sentence").textContent = sentence;
  $("state").dataset.state = word; $("state").dataset.tone = tone;
}

function show(status) {
  memory.status = status;
  state(status.state, status.sentence, TONE[status.state] || "");
  document.title = `${status.instrument} ${status.run ? "run " + status.run : ""}: ${status.state}`;
  $("instrument").textContent = status.instrument || "livereduce";
  $("run").textContent = status.run ? `Run ${status.run}${status.title ? ": " + status.title : ""}` : "no run";
  list($("also"), status.also.map(text));
  figures(status);
  problem(status.script_error);
  rate(status);
  logs(status.logs);
  if ($("output").textContent !== status.script_output) $("output").textContent = status.script_output;
  details(status);
}

function figures(s) {
  const old = (seconds, limit) => seconds !== null && seconds > limit;
  const [amount, unit] = charge(s.charge_pC), [scripts, scriptsUnit] = took((s.latency.proc || 0) + (s.latency.post || 0));
  const rows = [
    ["Events", short(s.events)], ["Rate", s.event_rate === null ? "–" : `${short(s.event_rate)} <small>/s</small>`],
    ["Age of data", ageCell(s.data_age_s), old(s.data_age_s, 120)], ["Age of result", ageCell(s.result_age_s), old(s.result_age_s, 300)],
    ["Charge", `${amount} <small>${unit}</small>`], ["Pulses", short(s.pulses)],
    ["Scripts took", s.chunks ? `${scripts} <small>${scriptsUnit}</small>` : "–"],
  ];
  if (s.reprocess_percent !== null) rows.push(["Read again", `${s.reprocess_percent.toFixed(0)} <small>%</small>`]);
  $("figures").replaceChildren(...rows.map(([name, value, isOld]) => {
    const box = element("div", {}, element("dt", {}, name));
    const dd = element("dd"); dd.innerHTML = value; box.append(dd);  // values are made above, never from the server
    if (isOld) box.className = "old";
    return box;
  }));
}

const ageCell = (seconds) => (seconds === null ? "–" : age(seconds));

function age(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  if (minutes < 60) return `${minutes} min`;
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

async function problem(error) {
  $("problem").hidden = !error;
  const key = error ? `${error.file}:${error.line}:${error.message}` : "";
  if (!error || memory.shown === key) { memory.shown = key; return; }
  memory.shown = key;
  $("problem-title").textContent = `${error.file}${error.line ? ", line " + error.line : ""}: ${error.message}`;
  $("problem-trace").textContent = error.traceback || "none";
  const { scripts } = await get("/api/scripts");
  const script = scripts.find((s) => s.file === error.file);
  $("problem-code").replaceChildren(...excerpt(script && script.text, error.line));
}

function excerpt(source, line) {
  if (!source || !line) return [text("")];
  const lines = source.split("\n"), first = Math.max(line - 4, 0);
  return lines.slice(first, line + 3).flatMap((content, i) => {
    const number = first + i + 1, row = `${String(number).padStart(4)}  ${content}\n`;
    return number === line ? [element("mark", {}, row.trimEnd()), text("\n")] : [text(row)];
  });
}

// what was before the page was opened, every ten seconds; since then what the status said
async function history() {
  try {
    const found = await get("/api/history");
    memory.history = found.time_s.map((t, i) => [t, found.event_rate[i], found.charge_rate_pC[i]]);
    const newest = memory.history.length ? memory.history.at(-1)[0] : 0;
    memory.rates = memory.rates.filter(([t]) => t > newest);
    if (memory.status) rates();
  } catch { /* the status says that there is no contact */ }
  setTimeout(history, HISTORY_SECONDS * 1000);
}

function rate(status) {
  memory.rates.push([status.now_ns / 1e9, status.event_rate, status.charge_rate_pC]);
  rates();
}

function rates() {
  const now = memory.status.now_ns / 1e9;
  const all = [...memory.history, ...memory.rates].filter(([t]) => t >= now - $("span").value);
  const seconds = Math.min($("span").value, Math.max(60, all.length ? now - all[0][0] : 0)), since = `${age(seconds)} ago`;
  const top = Math.max(...all.map(([, , pC]) => pC || 0)), [size, unit] = current(top);
  spark($("rate"), all.map(([t, events]) => [t, events]), now, seconds, since, (v) => `${short(v)} /s`);
  spark($("beam"), all.map(([t, , pC]) => [t, pC === null ? null : pC / size]), now, seconds, since, (v) => `${short(v)} ${unit}`);
}

function logs(values) {
  const names = Object.keys(values).sort((a, b) => a.localeCompare(b)), wanted = $("log-filter").value.toLowerCase();
  $("log-filter").hidden = names.length < 12;
  const rows = names.filter((name) => name.toLowerCase().includes(wanted)).map((name) => {
    const { value, units } = values[name];
    const number = typeof value === "number";
    return row([name, ""], [number ? `${+value.toPrecision(7)}` : String(value ?? "–"), number ? "n" : "right"], [units, "unit"]);
  });
  $("logs").tBodies[0].replaceChildren(...(rows.length ? rows : [row(["none yet", ""])]));
}

function details(s) {
  const steps = Object.entries(s.latency).map(([name, seconds]) => `${name} ${took(seconds).join(" ")}`).join(", ");
  const full = s.memory_full_s === null ? "" : `, full in ${age(s.memory_full_s)}`;
  const rows = [
    ["Source", s.address || "read by the reducer"],
    ["Received", `${bytes(s.bytes)} in ${short(s.packets)} packets${s.received_age_s === null ? "" : ", last " + age(s.received_age_s) + " ago"}`],
    ["Connection", s.connection ? `number ${s.connection}, ${s.reconnects} lost` : "none yet"], ["Not yet read", bytes(s.behind_bytes)],
    ["Now", `${s.stage} for ${age(s.stage_s)}`], ["Last step", steps || "–"], ["Chunks", short(s.chunks)],
    ["Memory", bytes(s.memory_bytes) + (s.memory_limit_bytes ? ` of ${bytes(s.memory_limit_bytes)}` : "") + full],
    ["Restarts", String(s.restarts)],
  ];
  $("details").tBodies[0].replaceChildren(...rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value))));
  list($("warnings"), s.warnings.map(text));
}

function bytes(n) {
  for (const [limit, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (n >= limit) return `${(n / limit).toPrecision(3)} ${unit}`;
  }
  return `${n} B`;
}

// ---- ledger ----

async function ledger() {
  try {
    const { runs } = await get("/api/ledger"), newest = [...runs].reverse().slice(0, 30);
    const head = ["Run", "received", "accumulated", "dropped", "pending"];
    $("ledger").tHead.replaceChildren(element("tr", {}, ...head.map((name, i) => element("th", i ? { className: "n" } : {}, name))));
    $("ledger").tBodies[0].replaceChildren(...(newest.length ? newest.flatMap(account) : [row(["no run yet", ""])]));
  } catch { /* the status says that there is no contact */ }
  setTimeout(ledger, 3000);
}

function account(r) {
  const dropped = Object.entries(r.dropped || {}), sum = dropped.reduce((all, [, n]) => all + n, 0), missing = r.missing || [];
  const words = [...dropped.map(([why, n]) => `${short(n)} ${why}`), r.paused_events ? `${short(r.paused_events)} during pauses` : "",
    r.duplicates ? `${short(r.duplicates)} duplicates` : "", ...missing.map(([a, b]) => `missing ${clock(a)} to ${clock(b)}`)];
  const more = row([[r.state, ...words].filter(Boolean).join(", "), (r.state || "").startsWith("incomplete") ? "flag" : ""]);
  more.firstChild.colSpan = 5;
  const head = row([String(r.run), "name"], [short(r.events), "n"], [short(r.accumulated), "n"], [short(sum), "n"], [short(r.pending), "n"]);
  head.className = "account";
  return [head, more];
}

const clock = (iso) => iso.slice(11, 19);

// ---- curves ----

async function refreshList() {
  const found = await get("/api/workspaces");
  memory.list = found.workspaces;
  const names = memory.list.map((w) => w.name);
  if (!names.includes(memory.chosen)) {
    const first = memory.list.find((w) => w.role === "result") || memory.list[0];
    memory.chosen = first ? first.name : null;
  }
  const options = memory.list.map((w) => element("option", { value: w.name }, w.name + (w.role && w.role !== "other" && w.role !== w.name ? ` (${w.role})` : "")));
  if ([...$("workspace").options].map((o) => o.textContent).join() !== options.map((o) => o.textContent).join()) $("workspace").replaceChildren(...options);
  $("workspace").value = memory.chosen || "";
  const present = memory.list.find((w) => w.name === memory.chosen);
  if (present) chooseShow(present);
  const left = found.left_out.map((w) => `${w.name}: ${w.why}`).join("\n");
  $("workspace").title = left ? `Not here:\n${left}` : "";
}

// what can be shown depends on the number of spectra; the choice made is kept while it makes sense
function chooseShow(workspace) {
  const spectra = (workspace.shape || [0])[0], key = `${workspace.name} ${spectra}`;
  if (memory.offered === key) return;
  const sameName = (memory.offered || "").startsWith(`${workspace.name} `), before = $("show").value;
  memory.offered = key;
  const options = [];
  if (spectra > 0 && spectra <= FEW) options.push(["all", spectra === 1 ? "the spectrum" : "all spectra"]);
  if (spectra > 1) options.push(["sum", "sum of all spectra"], ["one", "one by its index"], ["counts", "sum of each spectrum"], ["image", "picture"]);
  $("show").replaceChildren(...options.map(([value, label]) => element("option", { value }, label)));
  if (sameName && options.some(([value]) => value === before)) $("show").value = before;
  $("show").parentElement.hidden = options.length < 2;
  $("spectrum").max = String(Math.max(spectra - 1, 0));
  $("one").hidden = $("show").value !== "one";
  memory.hidden.clear();
}

function query() {
  const mode = $("show").value;
  if (mode === "one") return `?spectrum=${Math.max(0, Math.floor(Number($("spectrum").value) || 0))}`;
  return { sum: "?spectrum=sum", counts: "?spectrum=counts", image: "?image" }[mode] || "";
}

let drawing = null, again = false;

// one request at a time: what changes meanwhile is fetched once more afterwards
async function refresh() {
  if (drawing) { again = true; return drawing; }
  drawing = draw().catch((error) => note(error)).finally(() => { drawing = null; if (again) { again = false; refresh(); } });
  return drawing;
}

function note(error) {
  $("note").textContent = error.status ? error.message : "";
  if (error.status === 409) { $("show").value = "one"; $("one").hidden = false; refresh(); }
  else if (!error.status && !(error instanceof TypeError && /fetch/i.test(error.message))) throw error;
}

async function draw() {
  await refreshList();
  if (!memory.chosen) { $("note").textContent = "Waiting for the first result…"; return; }
  const base = `/api/workspaces/${encodeURIComponent(memory.chosen)}`, asked = query(), data = await get(base + asked);
  const units = (label, unit) => (unit && unit !== label ? `${label} (${unit})` : label || "");
  const xLabel = asked.endsWith("counts") ? "spectrum" : units(data.x_label || "x", data.x_unit), yLabel = units(data.y_label, data.y_unit) || "value";
  memory.unit = asked.endsWith("counts") ? "" : data.x_unit || "";
  const options = { xLabel, yLabel, version: data.version };
  const table = Boolean(data.columns), empty = !table && !data.values && !data.curves.some((c) => c.y.length);
  $("note").textContent = empty ? `${data.name} (${data.kind || "workspace"}) holds no curve.` : "";
  $("columns").hidden = !table; $("plot").parentElement.hidden = table;
  if (table) { memory.curves = []; columns(data.columns); }
  else if (data.values) { memory.curves = []; plot.showPicture(data, options); }
  else {
    memory.curves = data.curves.map((c, i) => ({ ...c, colour: i, hidden: memory.hidden.has(c.spectrum),
      label: { sum: "sum", counts: "counts" }[c.spectrum] || indexLabel(data, c.spectrum) }));
    plot.show(memory.curves, options);
  }
  legend();
  $("plot").setAttribute("aria-label", `${data.name}, run ${data.run}: ${yLabel} against ${xLabel}, version ${data.version}`);
  downloads(base, asked, table ? ["csv"] : ["csv", "nxs", "npy"]);
}

// the workspace index, which is what the API counts by, and the instrument's spectrum number where it is known
function indexLabel(data, index) {
  const row = (data.spectra || []).indexOf(index), number = (data.spectrum_numbers || [])[row];
  return number === undefined ? `index ${index}` : `index ${index}, spectrum ${number}`;
}

function columns(list) {
  const total = list.length ? list[0].values.length : 0, n = Math.min(total, 500), first = total - n;  // the newest ones
  const head = element("tr", {}, ...list.map((c) => element("th", {}, c.name)));
  const cell = (v) => (typeof v === "number" ? [String(Number.isInteger(v) ? v : +v.toPrecision(7)), "n"] : [String(v ?? "–"), ""]);
  const rows = Array.from({ length: n }, (_, i) => row(...list.map((c) => cell(c.values[first + i]))));
  $("columns").replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

function legend() {
  const several = memory.curves.length > 1;
  $("legend").hidden = !several;
  $("legend").replaceChildren(...(several ? memory.curves : []).map((curve) => {
    const box = element("input", { type: "checkbox", checked: !curve.hidden });
    box.addEventListener("change", () => {
      curve.hidden = !box.checked;
      curve.hidden ? memory.hidden.add(curve.spectrum) : memory.hidden.delete(curve.spectrum);
      plot.draw();
    });
    const sign = element("i"); sign.style.background = `var(--c${curve.colour % 8})`;
    return element("li", {}, element("label", {}, box, sign, curve.label));
  }));
}

function downloads(base, asked, forms) {
  const join = asked ? "&" : "?", query = asked === "?image" ? "" : asked;
  const link = (form) => element("a", { href: `${base}${query}${query ? join : "?"}format=${form}` }, form);
  $("get").replaceChildren("save as ", ...forms.flatMap((form) => [link(form), " "]));
}

function read(values) {
  if (!values.length) { $("read").replaceChildren($("plot-help") || help); return; }
  const parts = values.slice(0, FEW).map(({ label, x, y, e, named }, i) => {
    const value = y === null ? "no value" : `${+y.toPrecision(6)}${e === null ? "" : " ± " + +e.toPrecision(3)}`;
    return `${i ? "" : `${x} ${memory.unit}:  `}${values.length > 1 || named ? label + " " : ""}${value}`;
  });
  $("read").replaceChildren(parts.join("   "));
}
const help = $("plot-help");

// ---- plots of scripts ----

async function plots() {
  try {
    memory.plots = (await get("/api/plots")).plots;
    published();
  } catch { /* the status says that there is no contact */ }
  setTimeout(plots, 3000);
}

function published() {
  $("published").hidden = !memory.plots.length;
  const options = memory.plots.map((p) => element("option", { value: p.name }, `${p.instrument} ${p.run}${p.file === "file" ? "" : " " + p.file}`));
  if ([...$("published-name").options].map((o) => o.value).join() !== options.map((o) => o.value).join()) $("published-name").replaceChildren(...options);
  const present = memory.plots.find((p) => p.name === memory.plot) || memory.plots[0];  // the newest, until one is chosen
  const src = present ? `/api/plots/${encodeURIComponent(present.name)}?${present.time_ns}` : "";
  $("published-name").value = present ? present.name : "";
  if (memory.framed === src) return;
  memory.framed = src;
  if (!present) { $("published-frame").replaceChildren(); return; }
  $("published-alone").href = src;
  // a new frame, because another address in the old one would be a step of the browser's history
  $("published-frame").replaceChildren(element("iframe", { sandbox: "allow-scripts", title: `Plot ${present.name}`, src }));
}

// ---- actions ----

async function actions() {
  const { paths } = await get("/openapi.json");
  const found = Object.entries(paths).filter(([, item]) => item.post);
  $("actions").hidden = !found.length;
  $("buttons").replaceChildren(...found.map(([path, item]) => {
    const button = element("button", { type: "button", title: item.post.summary }, path.split("/").pop());
    button.addEventListener("click", async () => {
      if (!confirm(`${item.post.summary}?`)) return;
      const answer = await fetch(path, { method: "POST", headers: { Authorization: `Bearer ${$("token").value}` } });
      const body = await answer.json();
      $("done").textContent = answer.ok ? `${body.done}: done` : body.detail;
    });
    return button;
  }));
}

// ---- small things ----

const text = (content) => document.createTextNode(content);
function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const row = (...cells) => element("tr", {}, ...cells.map(([content, className]) => element("td", { className }, content ?? "")));
const list = (node, items) => node.replaceChildren(...items.map((item) => element("li", {}, item)));

// ---- start ----

for (const [id, option] of [["log-x", "logX"], ["log-y", "logY"], ["errors", "errors"]]) {
  $(id).addEventListener("change", () => plot.set({ [option]: $(id).checked }));
}
$("whole").addEventListener("click", () => plot.setZoom(null));
$("log-filter").addEventListener("input", () => memory.status && logs(memory.status.logs));
$("workspace").addEventListener("change", () => {
  memory.chosen = $("workspace").value; plot.setZoom(null);
  refresh();
});
$("show").addEventListener("change", () => { $("one").hidden = $("show").value !== "one"; plot.setZoom(null); refresh(); });
$("spectrum").addEventListener("change", refresh);
$("span").addEventListener("change", () => memory.status && rates());
$("published-name").addEventListener("change", () => { memory.plot = $("published-name").value; published(); });

const versions = new EventSource("/api/events");
versions.onmessage = (event) => { memory.versions = JSON.parse(event.data); refresh(); };
addEventListener("pagehide", () => versions.close());
addEventListener("pageshow", (event) => event.persisted && location.reload());

everySecond(); history(); ledger(); plots(); actions().catch(() => {}); refresh();
