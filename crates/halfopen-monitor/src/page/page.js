"use strict";
const at = (id) => document.getElementById(id);
const rows = new Map();
const services = new Map();
const columns = ["State", "Calls", "Failures", "Slow", "Rejected/s", "Share", "Wait"];
let last = "", source = null, heard = 0, delay = 1000, retry = 0, queued = null, drawing = false, shown = "";

const text = (node, value) => { if (node.textContent !== value) node.textContent = value; };
const percent = (share) => share === null ? "-" : (100 * share).toFixed(1) + " %";
const times = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const clock = (seconds) => times.format(1000 * seconds);

function row(name) {
  const line = document.createElement("tr"), head = document.createElement("th"), button = document.createElement("button");
  head.scope = "row";
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => details(name));
  head.append(button);
  line.append(head, ...columns.map((label) => {
    const cell = document.createElement("td");
    cell.dataset.label = label;
    return cell;
  }));
  return line;
}

// The rest of a wait, counted here: an update has it only when something else changes.
function wait(service) {
  if (service.state === "forced_open") return "until reset";
  if (service.state !== "open" || service.retry_after === null) return "-";
  return Math.max(0, service.retry_after - (performance.now() - service.at) / 1000).toFixed(0) + " s";
}

function draw(service) {
  const cells = rows.get(service.name).cells;
  const state = service.state.replace("_", "-");
  text(cells[1], state);
  if (cells[1].className !== service.state) cells[1].className = service.state;
  text(cells[2], String(service.calls));
  text(cells[3], percent(service.failure_rate));
  text(cells[4], percent(service.slow_call_rate));
  text(cells[5], service.rejections_per_second.toFixed(1));
  text(cells[6], percent(service.share));
  text(cells[7], wait(service));
}

function filter() {
  const wanted = at("filter").value.toLowerCase();
  for (const [name, line] of rows) {
    line.hidden = !(name.toLowerCase().includes(wanted) || services.get(name).state.includes(wanted.replace("-", "_")));
  }
}

function entries(list, items, of, newest) {
  const lines = items.map((item) => {
    const line = document.createElement("li"), [when, what, kind] = of(item), time = document.createElement("time"), rest = document.createElement("span");
    time.textContent = when + " ";
    rest.textContent = what;
    if (kind) rest.className = kind;
    line.append(time, rest);
    return line;
  });
  if (newest) list.prepend(...lines.reverse()); else list.replaceChildren(...lines);
  while (list.childElementCount > 200) list.lastElementChild.remove();
}

function change(one) {
  const why = one.reasons.length ? " (" + one.reasons.join(", ") + ")" : "";
  return [clock(one.at), `${one.name}: ${one.from.replace("_", "-")} to ${one.to.replace("_", "-")}${why}`, one.to];
}

let spoken = 0;
function speak(history) {
  if (!history.length || performance.now() - spoken < 3000) return;
  spoken = performance.now();
  at("news").textContent = history.length > 3 ? `${history.length} changes of state` : history.map((one) => change(one)[1]).join("; ");
}

function show(update) {
  const overview = update.overview, body = at("breakers");
  text(at("health"), overview.health_percentage.toFixed(1) + " %");
  text(at("total"), String(overview.total));
  text(at("counts"), `${overview.open + overview.forced_open} open, ${overview.half_open} half-open, ${overview.rejections_per_second.toFixed(1)} rejected a second`);
  document.title = `${overview.health_percentage.toFixed(0)} % healthy - circuit breakers`;
  let fresh = false;
  if (update.whole) {
    const kept = new Set(update.services.map((service) => service.name));
    for (const name of [...rows.keys()]) if (!kept.has(name)) remove(name);
    if (!rows.size) body.replaceChildren();
  }
  update.gone.forEach(remove);
  for (const service of update.services) {
    service.at = performance.now();
    services.set(service.name, service);
    if (!rows.has(service.name)) {
      rows.set(service.name, row(service.name));
      fresh = true;
    }
    draw(service);
  }
  if (fresh) body.append(...[...rows.keys()].sort().map((name) => rows.get(name)));
  if (at("filter").value) filter();
  text(at("alert-count"), `(${update.firing.length})`);
  entries(at("alerts"), update.firing, (alert) => [clock(alert.started_at), `${alert.severity}: ${alert.rule}: ${alert.message}`, "open"]);
  if (update.whole_history) at("history").replaceChildren();
  if (update.history.length) entries(at("history"), update.history.slice(-200), change, true);
  entries(at("audit"), [...update.audit].reverse(), (line) => { const [when, ...what] = line.split(" "); return [clock(+when), what.join(" ")]; });
  if (!update.whole_history) speak(update.history);
}

function remove(name) {
  rows.get(name)?.remove();
  rows.delete(name);
  services.delete(name);
}

// Updates that arrive while the page is not drawn are drawn together.
function receive(event) {
  heard = performance.now();
  delay = 1000;
  last = event.lastEventId;
  (queued ??= []).push(JSON.parse(event.data));
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const updates = queued ?? [];
    queued = null;
    updates.forEach(show);
    tell();
  });
}

// A hidden tab has no stream: a browser opens six connections to a host, and six tabs would use all of them.
function connect() {
  clearTimeout(retry);
  source?.close();
  source = null;
  if (document.hidden) return;
  heard = performance.now();
  source = new EventSource("events" + (last ? "?after=" + encodeURIComponent(last) : ""));
  source.onmessage = receive;
  source.onerror = again;
}

// By hand: a browser gives up for good on a 502, and tries every 3 s otherwise.
function again() {
  source?.close();
  source = null;
  tell();
  clearTimeout(retry);
  retry = setTimeout(connect, delay * (0.75 + Math.random() / 2));
  delay = Math.min(2 * delay, 30000);
}

function tell() {
  const age = (performance.now() - heard) / 1000, line = at("connection");
  const live = source !== null && source.readyState === 1 && age < 15;
  line.className = live ? "" : "lost";
  text(line, live ? "live" : last ? `no connection; the data is ${Math.round((performance.now() - (drawn || heard)) / 1000)} s old` : "connecting");
  if (live) drawn = heard;
}
let drawn = 0;

setInterval(() => {
  // A laptop that slept, or a proxy that keeps a dead connection: nothing arrives, not even the heartbeat.
  if (source !== null && performance.now() - heard > 15000) again();
  tell();
  for (const service of services.values()) if (service.state === "open") draw(service);
  if (at("details").open) explain();
}, 1000);

async function explain() {
  try {
    const answer = await fetch("explain?" + encodeURIComponent(shown));
    text(at("explanation"), await answer.text());
  } catch { text(at("explanation"), "no connection"); }
}

function details(name) {
  shown = name;
  at("details-title").textContent = name;
  at("explanation").textContent = "";
  at("result").textContent = "";
  at("controls").className = document.body.dataset.actions === "yes" ? "" : "hidden";
  at("details").showModal();
  explain();
}

async function act(action) {
  const result = at("result");
  try {
    const answer = await fetch("actions", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer " + at("token").value },
      body: JSON.stringify({ breaker: shown, action }),
    });
    result.textContent = answer.ok ? "done" : "refused: " + await answer.text();
    explain();
  } catch { result.textContent = "no connection"; }
}

document.querySelectorAll("[data-action]").forEach((button) => button.addEventListener("click", () => act(button.dataset.action)));
at("done").addEventListener("click", () => at("details").close());
at("filter").addEventListener("input", filter);
document.addEventListener("visibilitychange", connect);
addEventListener("online", connect);
connect();
