"use strict";
// The whole state is in `services`; the document has one page of it, and is changed once per frame at most.
const PAGE = 50, LINES = 100, QUIET = 10000, STALE = 15000;
const at = (id) => document.getElementById(id);
const columns = ["State", "Calls", "Failures", "Slow", "Rejected/s", "Share", "Wait"];
const shadowColumns = ["State", "Calls", "Would reject", "Failed", "Succeeded", "Time saved", "Unseen"];
const fields = ["name", "state", "calls", "failures", "slow", "rejected", "share", "wait"];
const services = new Map(), rows = new Map();
let names = [], sorted = true, first = 0, overview = null;
let shadowed = "", last = "", source = null, heard = 0, drawn = 0, delay = 1000, retry = 0, shown = "", asking = false;
let queued = [], scheduled = false, unspoken = [], spoken = 0;

// The text of a node is changed in place: no node is made for a number.
function text(node, value) {
  const child = node.firstChild;
  if (child === null) { if (value !== "") node.textContent = value; }
  else if (child.data !== value) child.data = value;
}
const percent = (share) => share === null ? "-" : (100 * share).toFixed(1) + " %";
const times = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const clock = (seconds) => times.format(1000 * seconds);
const words = (state) => state.replace("_", "-");
const number = new Intl.NumberFormat("en");
const counted = (count, noun) => `${number.format(count)} ${noun}${count === 1 ? "" : "s"}`;

function row(head, labels) {
  const line = document.createElement("tr"), name = document.createElement("th");
  line.setAttribute("role", "row");
  name.setAttribute("role", "rowheader");
  name.scope = "row";
  name.append(head);
  line.append(name, ...labels.map((label) => {
    const cell = document.createElement("td");
    cell.setAttribute("role", "cell");
    cell.dataset.label = label;
    return cell;
  }));
  return line;
}

function breaker(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => details(name));
  return { line: row(button, columns), drawn: null };
}

function paint(cell, state) {
  text(cell, words(state));
  if (cell.className !== state) cell.className = state;
}

// The rest of a wait, counted here: an update has it only when something else changes.
function wait(service) {
  if (service.state === "forced_open") return "until reset";
  if (service.state !== "open" || service.wait === null) return "-";
  return Math.max(0, service.wait - (Date.now() - service.at) / 1000).toFixed(0) + " s";
}

function draw(name) {
  const service = services.get(name), entry = rows.get(name), cells = entry.line.cells;
  if (entry.drawn !== service) {
    entry.drawn = service;
    paint(cells[1], service.state);
    text(cells[2], String(service.calls));
    text(cells[3], percent(service.failures));
    text(cells[4], percent(service.slow));
    text(cells[5], service.rejected.toFixed(1));
    text(cells[6], percent(service.share));
  }
  text(cells[7], wait(service));
}

function matching() {
  if (!sorted) { names = [...services.keys()].sort(); sorted = true; }
  const wanted = at("filter").value.trim().toLowerCase(), ill = at("ill").checked;
  if (!wanted && !ill) return names;
  return names.filter((name) => {
    const state = services.get(name).state;
    return (!ill || state !== "closed") && (!wanted || name.toLowerCase().includes(wanted) || words(state).startsWith(wanted));
  });
}

// Makes and removes only the rows that enter and leave the page, so that the focus stays where it is.
function table() {
  const all = matching(), body = at("breakers");
  first = Math.max(0, Math.min(first, Math.floor((all.length - 1) / PAGE) * PAGE));
  const page = all.slice(first, first + PAGE), kept = new Set(page);
  for (const [name, entry] of rows) if (!kept.has(name)) { entry.line.remove(); rows.delete(name); }
  let next = body.firstChild;
  for (const name of page) {
    if (!rows.has(name)) rows.set(name, breaker(name));
    const line = rows.get(name).line;
    if (line === next) next = next.nextSibling; else body.insertBefore(line, next);
    draw(name);
  }
  at("empty").hidden = page.length > 0;
  at("pages").hidden = all.length <= PAGE;
  text(at("range"), `${number.format(first + 1)} to ${number.format(first + page.length)} of ${number.format(all.length)}`);
  at("previous").disabled = first === 0;
  at("next").disabled = first + PAGE >= all.length;
}

// Numbers change in place: the rows are made again only for other shadows.
function shadows(update) {
  const body = at("shadow-rows"), heads = update.shown.map(([breaker, name]) => breaker + ": " + name), all = JSON.stringify(heads);
  at("shadows").hidden = !heads.length;
  if (all !== shadowed) {
    shadowed = all;
    body.replaceChildren(...heads.map((head) => row(head, shadowColumns)));
  }
  update.shown.forEach(([, , state, calls, rejected, failed, succeeded, seconds, unseen], index) => {
    const cells = body.rows[index].cells;
    paint(cells[1], state);
    [calls, rejected, failed, succeeded].forEach((count, place) => text(cells[place + 2], number.format(count)));
    text(cells[6], number.format(seconds) + " s");
    text(cells[7], number.format(unseen));
  });
  at("shadows-more").hidden = !update.more;
  text(at("shadows-more"), counted(update.more, "more shadow"));
}

function line(when, what, kind) {
  const item = document.createElement("li"), time = document.createElement("time"), rest = document.createElement("span");
  time.textContent = when;
  rest.textContent = " " + what;
  if (kind) rest.className = kind;
  item.append(time, rest);
  return item;
}

function change(one) {
  const why = one.reasons.length ? " (" + one.reasons.join(", ") + ")" : "";
  return `${one.name}: ${words(one.from)} to ${words(one.to)}${why}`;
}

function history(changes, skipped) {
  const list = at("history"), items = changes.slice(-LINES).reverse().map((one) => line(clock(one.at), change(one), one.to));
  if (skipped) items.push(line("", counted(skipped, "more change"), "faint"));
  list.prepend(...items);
  for (let surplus = list.children.length - LINES; surplus > 0; surplus--) list.lastChild.remove();
}

// At most one sentence in ten seconds: a screen reader is to be read, and not to be flooded.
function speak() {
  if (!unspoken.length || Date.now() - spoken < QUIET) return;
  spoken = Date.now();
  const ill = overview.total - overview.closed;
  text(at("news"), unspoken.length > 2 ? `${number.format(unspoken.length)} changes of state; not closed: ${counted(ill, "breaker")}` : unspoken.join("; "));
  unspoken = [];
}

function model(update) {
  overview = update.overview;
  if (update.whole) {
    services.clear();
    sorted = false;
    at("history").replaceChildren();
    unspoken = [];
  }
  for (const name of update.gone ?? []) { services.delete(name); sorted = false; }
  const now = Date.now();
  for (const values of update.rows) {
    const service = { at: now };
    fields.forEach((field, index) => { service[field] = values[index]; });
    if (!services.has(service.name)) sorted = false;
    services.set(service.name, service);
  }
  if (!update.whole) {
    for (const one of update.history) if (unspoken.length < 1000) unspoken.push(change(one));
    for (let more = update.skipped; more > 0 && unspoken.length < 1000; more--) unspoken.push("");
  }
}

function lists(update) {
  if (update.history.length || update.skipped) history(update.history, update.skipped);
  if (update.firing) at("alerts").replaceChildren(...update.firing.map((alert) =>
    line(clock(alert.started_at), `${alert.severity}: ${alert.rule}: ${alert.message}`, alert.severity)));
  if (update.shadows) shadows(update.shadows);
  if (update.audit) {
    at("audits").hidden = !update.audit.length;
    at("audit").replaceChildren(...[...update.audit].reverse().map((entry) => {
      const [when, ...what] = entry.split(" ");
      return line(clock(+when), what.join(" "));
    }));
  }
}

function summary() {
  text(at("health"), overview.health_percentage.toFixed(1) + " %");
  text(at("total"), counted(overview.total, "breaker"));
  text(at("counts"), `: ${number.format(overview.open + overview.forced_open)} open, ${number.format(overview.half_open)} half-open, ${overview.rejections_per_second.toFixed(1)} calls rejected a second`);
  text(at("alert-count"), overview.alerts_firing > LINES ? `(the ${LINES} most severe of ${number.format(overview.alerts_firing)})` : `(${overview.alerts_firing})`);
  const title = `${overview.health_percentage.toFixed(0)} % healthy - circuit breakers`;
  if (document.title !== title) document.title = title;
}

// Updates that arrive while the page is not drawn are drawn together.
function receive(event) {
  heard = Date.now();
  delay = 1000;
  last = event.lastEventId;
  const update = JSON.parse(event.data);
  if (update.whole) queued = [];
  queued.push(update);
  // Not drawn for ten seconds: everything is less than all that was missed.
  if (queued.length > 40) { queued = []; last = ""; connect(); return; }
  schedule();
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    const updates = queued;
    queued = [];
    for (const update of updates) { model(update); lists(update); }
    if (overview === null) return;
    drawn = heard;
    summary();
    table();
    speak();
    report();
  });
}

// A hidden tab has no stream: a browser opens six connections to a host, and six tabs would use all of them.
function connect() {
  clearTimeout(retry);
  source?.close();
  source = null;
  if (document.hidden) return;
  heard = Date.now();
  source = new EventSource("events" + (last ? "?after=" + encodeURIComponent(last) : ""));
  source.onmessage = receive;
  source.onerror = again;
}

// By hand: a browser gives up for good on a 502, and tries every 3 s otherwise.
function again() {
  source?.close();
  source = null;
  report();
  clearTimeout(retry);
  retry = setTimeout(connect, delay * (0.75 + Math.random() / 2));
  delay = Math.min(2 * delay, 30000);
}

// The status is announced when it changes, and the age, which always does, is not.
function report() {
  const live = source !== null && source.readyState === 1 && Date.now() - heard < STALE;
  const status = at("connection");
  if (status.className !== (live ? "live" : "lost")) status.className = live ? "live" : "lost";
  text(status, live ? "live" : last ? "no connection" : "connecting");
  text(at("age"), live || !last ? "" : `; the data is ${number.format(Math.round((Date.now() - drawn) / 1000))} s old`);
}

setInterval(() => {
  const now = Date.now();
  // A clock that was set back is no sleep.
  if (now < heard) heard = now;
  // A laptop that slept, or a proxy that keeps a dead connection: nothing arrives, not even the heartbeat.
  if (source !== null && now - heard > STALE) again();
  report();
  if (overview !== null) speak();
  for (const name of rows.keys()) if (services.get(name)?.state === "open") draw(name);
  if (at("details").open) explain();
}, 1000);

async function explain() {
  if (asking) return;
  asking = true;
  const name = shown;
  try {
    const answer = await fetch("explain?" + encodeURIComponent(name)), words = await answer.text();
    if (name === shown) text(at("explanation"), words);
  } catch { text(at("explanation"), "no connection"); }
  asking = false;
}

function details(name) {
  shown = name;
  text(at("details-title"), name);
  at("explanation").textContent = "";
  at("result").textContent = "";
  at("controls").hidden = document.body.dataset.actions !== "yes";
  at("details").showModal();
  explain();
}

async function act(action) {
  const result = at("result"), token = at("token").value;
  result.textContent = "";
  // A header has no other characters, and neither has a token.
  if (!/^[ -~]+$/.test(token)) { result.textContent = "refused: the token is wrong"; return; }
  try {
    const answer = await fetch("actions", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer " + token },
      body: JSON.stringify({ breaker: shown, action }),
    });
    result.textContent = answer.ok ? "done" : "refused: " + await answer.text();
    explain();
  } catch { result.textContent = "no connection"; }
}

document.querySelectorAll("[data-action]").forEach((button) => button.addEventListener("click", () => act(button.dataset.action)));
at("done").addEventListener("click", () => at("details").close());
at("filter").addEventListener("input", () => { first = 0; schedule(); });
at("ill").addEventListener("change", () => { first = 0; schedule(); });
at("previous").addEventListener("click", () => { first -= PAGE; schedule(); });
at("next").addEventListener("click", () => { first += PAGE; schedule(); });
document.addEventListener("visibilitychange", connect);
addEventListener("online", connect);
connect();
