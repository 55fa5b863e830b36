use crate::rows::listeners;
use crate::rows::memory::{MUCH_TRAFFIC, SOME_TRAFFIC};
use crate::rows::verdict::{Bound, Claim};
use crate::table::{Row, Table};

const TOWER: &str = "Tower, closed";
const DIRECT: &str = "Direct call, closed, success";
const OPEN: &str = "Open, rejected";
const ONE: &str = "One breaker, 1 thread, direct";
const TWO: &str = "One breaker, 2 threads, direct";
const MEMORY: &str = "Memory of one breaker";
const REGISTRY: &str = "Registry";
const WINDOW: &str = "Time window, cost";
const WINDOW_BYTES: &str = "Time window, memory";
const DETECTION: &str = "Detection";
const REQWEST: &str = "reqwest, closed, success";
const TONIC: &str = "tonic, closed, success";
const OVER_HTTP: &str = "loopback, reqwest";
const OVER_GRPC: &str = "loopback, tonic";
const COUNT: &str = "halfopen, count 100";
const CONSECUTIVE: &str = "halfopen, consecutive 5";
const SLOW: &str = "halfopen, time + slow calls";
const STRIPED: &str = "load + striped fetch_add";

use Bound::{AtLeast, AtMost};

/// All targets of our breaker.
pub(crate) fn claims(table: &Table) -> Vec<Claim> {
    let look = Look(table);
    [
        look.closed(),
        look.listening(),
        look.threads(),
        look.open(),
        look.memory(),
        look.windows(),
        look.registry(),
        look.adapters(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn claim(what: impl Into<String>, measured: Option<f64>, bound: Bound) -> Claim {
    Claim { what: what.into(), measured, bound }
}

/// Looks up figures in the table.
struct Look<'a>(&'a Table);

impl Look<'_> {
    fn figure(&self, title: &str, name: &str, of: fn(&Row) -> Option<f64>) -> Option<f64> {
        self.0.find(title, name).and_then(of)
    }

    fn steady(&self, title: &str, name: &str) -> Option<f64> {
        self.figure(title, name, |row| Some(row.steady()))
    }

    fn limit(&self, title: &str, name: &str) -> Option<f64> {
        self.figure(title, name, |row| row.to_limit)
    }

    fn base(&self, title: &str, name: &str) -> Option<f64> {
        self.figure(title, name, |row| row.to_base)
    }

    fn allocations(&self, title: &str, name: &str) -> Option<f64> {
        self.figure(title, name, |row| row.allocations)
    }

    fn locked(&self, title: &str, name: &str) -> Option<f64> {
        self.figure(title, name, |row| row.locked)
    }

    fn share(&self, of: (&str, &str), to: (&str, &str)) -> Option<f64> {
        Some(self.steady(of.0, of.1)? / self.steady(to.0, to.1)?)
    }

    /// The difference in allocations from another row.
    fn more(&self, title: &str, name: &str, than: &str) -> Option<f64> {
        Some(self.allocations(title, name)? - self.allocations(title, than)?)
    }

    fn closed(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        for name in [COUNT, CONSECUTIVE] {
            let counted = ("Instructions, tower, closed", name);
            claims.extend([
                claim(format!("tower, {name}, x limit"), self.limit(TOWER, name), AtMost(1.5, Some(1.2))),
                claim(
                    format!("tower, {name}, allocations"),
                    self.allocations(TOWER, name),
                    AtMost(0.0, None),
                ),
                claim(
                    format!("tower, {name}, instructions"),
                    self.steady(counted.0, counted.1),
                    AtMost(120.0, None),
                ),
                claim(format!("tower, {name}, locked"), self.locked(counted.0, counted.1), AtMost(4.0, None)),
            ]);
        }
        claims.extend([
            claim(
                "tower, time + slow, x (limit + 2 reads)",
                self.limit(TOWER, SLOW),
                AtMost(1.25, self.one_read()),
            ),
            claim("direct, count 100, x (load + fetch_add)", self.limit(DIRECT, COUNT), AtMost(2.0, None)),
            claim(
                "direct, count 100, locked instructions",
                self.locked("Instructions, direct, closed", COUNT),
                AtMost(1.0, Some(0.0)),
            ),
        ]);
        claims
    }

    /// The cost of listeners: zero until one is added.
    fn listening(&self) -> Vec<Claim> {
        let more = |title, name, than| Some(self.steady(title, name)? - self.steady(title, than)?);
        let left = more("Instructions, listeners", listeners::LEFT, listeners::NEVER);
        let metrics = more("Watched: a direct call", "halfopen-metrics", "nobody listens");
        vec![
            claim("nobody listening any more, instructions", left, AtMost(0.0, None)),
            claim("metrics attached, ns", metrics, AtMost(10.0, Some(10.0))),
        ]
    }

    /// The limit with one clock read, against the limit with two.
    fn one_read(&self) -> Option<f64> {
        Some((self.share((TOWER, "limit"), (TOWER, "limit + 2 clock reads"))? + 1.0) / 2.0)
    }

    fn threads(&self) -> Vec<Claim> {
        // The scaling of striped counters, minus the variation of a rate from round to round.
        let scales = self.share((TWO, STRIPED), (ONE, STRIPED)).map(|scales| 0.95 * scales);
        vec![
            claim("2 threads, x own 1 thread", self.share((TWO, COUNT), (ONE, COUNT)), AtLeast(1.0, scales)),
            claim(
                "2 threads, x recloser",
                self.share((TWO, COUNT), (TWO, "recloser 1.4, count 100")),
                AtLeast(5.0, None),
            ),
        ]
    }

    fn open(&self) -> Vec<Claim> {
        let (direct, tower) = ("halfopen, direct", "halfopen, tower");
        vec![
            claim("open, direct, x (clock + 3 locked)", self.base(OPEN, direct), AtMost(1.2, None)),
            claim(
                "open, direct, locked instructions",
                self.locked("Instructions, direct, open", direct),
                AtMost(3.0, Some(2.0)),
            ),
            // One and a half of the direct call's 1.2.
            claim("open, tower, x (clock + 3 locked)", self.base(OPEN, tower), AtMost(1.8, None)),
            claim("open, direct, allocations", self.allocations(OPEN, direct), AtMost(0.0, None)),
            claim("open, tower, allocations", self.allocations(OPEN, tower), AtMost(1.0, None)),
            claim(
                "open, tower, inner service polled or called",
                self.steady("Open, inner service", tower),
                AtMost(0.0, None),
            ),
        ]
    }

    fn memory(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        for name in ["halfopen, default", COUNT, "halfopen, time 10 buckets"] {
            let below = |what| self.0.find_below(MEMORY, name, what).map(Row::steady);
            let fresh = self.steady(MEMORY, name);
            let grown = |now: Option<f64>, before: Option<f64>| Some(now? - before?);
            claims.extend([
                claim(format!("bytes, {name}"), fresh, AtMost(640.0, Some(400.0))),
                // The samples are allocated once, for the first failure or the second bucket.
                claim(
                    format!("bytes, {name}, after 100,000 calls"),
                    below(MUCH_TRAFFIC),
                    AtMost(640.0, Some(400.0)),
                ),
                claim(
                    format!("bytes, {name}, more from 1,000 to 100,000 calls"),
                    grown(below(MUCH_TRAFFIC), below(SOME_TRAFFIC)),
                    AtMost(0.0, None),
                ),
                // An opened breaker keeps the data of its last opening: constant after the first opening.
                claim(
                    format!("bytes, {name}, more over 10,000 openings"),
                    grown(below("  after 10,000 openings"), below("  after 1 opening")),
                    AtMost(0.0, None),
                ),
            ]);
        }
        claims
    }

    fn windows(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        for failing in ["none failed", "1 % failed"] {
            let name = |calls: u32| format!("halfopen, time, {calls} calls, {failing}");
            let (few, many) = (name(1_000), name(1_000_000));
            let cost = self.share((WINDOW, &many), (WINDOW, &few));
            let bytes = self.share((WINDOW_BYTES, &many), (WINDOW_BYTES, &few));
            claims.push(claim(format!("time, 10^6 x 10^3 calls, cost, {failing}"), cost, AtMost(1.1, None)));
            claims.push(claim(
                format!("time, 10^6 x 10^3 calls, bytes, {failing}"),
                bytes,
                AtMost(1.0, None),
            ));
        }
        for (healthy, calls) in [(0, 10.0), (1_000, 50.0), (1_000_000, 50.0)] {
            let found = self.steady(DETECTION, &format!("{COUNT}, after {healthy}"));
            claims.push(claim(format!("detection after {healthy}"), found, AtMost(calls, None)));
        }
        claims
    }

    fn registry(&self) -> Vec<Claim> {
        let megabytes = self.steady(REGISTRY, "memory, in megabytes");
        let mut claims = vec![claim("100,000 breakers, megabytes", megabytes, AtMost(80.0, None))];
        for what in ["64 hosts", "anywhere"] {
            let (one, two) = (format!("get, {what}, 1 thread"), format!("get, {what}, 2 threads"));
            let slower = self.share((REGISTRY, &two), (REGISTRY, &one));
            claims.push(claim(
                format!("look-up, {what}, ns"),
                self.steady(REGISTRY, &one),
                AtMost(60.0, None),
            ));
            claims.push(claim(format!("look-up, {what}, 2 threads, x 1 thread"), slower, AtMost(1.1, None)));
        }
        claims
    }

    fn adapters(&self) -> Vec<Claim> {
        // Over a network a buffer grows occasionally, with every client. Adding zero turns -0 into 0.
        let per_call = |title, name, than| Some(self.more(title, name, than)?.round() + 0.0);
        let none = || AtMost(0.0, None);
        let two = || AtMost(2.0, None);
        let deadline = self.more(TONIC, "one breaker, with a deadline", "none, with a deadline");
        let over_http = per_call(OVER_HTTP, "one breaker", "empty middleware");
        let over_grpc = per_call(OVER_GRPC, "one breaker", "bare channel");
        vec![
            claim(
                "reqwest, one breaker, more allocations",
                self.more(REQWEST, "one breaker", "empty"),
                two(),
            ),
            claim("reqwest, per host, more allocations", self.more(REQWEST, "per host", "empty"), two()),
            claim("tonic, one breaker, more allocations", self.more(TONIC, "one breaker", "none"), none()),
            claim("tonic, per method, more allocations", self.more(TONIC, "per method", "none"), none()),
            claim("tonic, with a deadline, more allocations", deadline, none()),
            claim("loopback, reqwest adapter, more allocations", over_http, two()),
            claim("loopback, tonic layer, more allocations", over_grpc, none()),
        ]
    }
}
