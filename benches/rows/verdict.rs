use crate::table::{Group, Row, Table};

const TOWER: &str = "Tower, closed";
const DIRECT: &str = "Direct call, closed, success";
const OPEN: &str = "Open, rejected";
const ONE: &str = "One breaker, 1 thread, direct";
const TWO: &str = "One breaker, 2 threads, direct";
const MEMORY: &str = "Memory of one breaker";
const REGISTRY: &str = "Registry";
const WINDOW: &str = "Time window";
const DETECTION: &str = "Detection";
const REQWEST: &str = "reqwest, closed, success";
const TONIC: &str = "tonic, closed, success";
const OVER_HTTP: &str = "loopback, reqwest";
const OVER_GRPC: &str = "loopback, tonic";
const COUNT: &str = "fusebox, count 100";

/// What ours is held to, and whether it was reached in this run; a row that was not measured is left out.
pub(crate) fn group(table: &Table) -> Group {
    let mut group = Group::new("What ours must show", "as named");
    for (what, measured, reach) in claims(table) {
        if let Some(measured) = measured {
            let (holds, text) = match reach {
                Reach::AtMost(limit) => (measured <= limit, format!("at most {limit}")),
                Reach::AtLeast(limit) => (measured >= limit, format!("at least {limit}")),
            };
            let verdict = if holds { "reached" } else { "MISSED" };
            group.push(Row::new(what, measured, format!("{text}: {verdict}")));
        }
    }
    group
}

enum Reach {
    AtMost(f64),
    AtLeast(f64),
}

use Reach::{AtLeast, AtMost};

type Claim = (&'static str, Option<f64>, Reach);

fn claims(table: &Table) -> Vec<Claim> {
    let limit = |title, name| table.find(title, name).and_then(|row| row.to_limit);
    let base = |title, name| table.find(title, name).and_then(|row| row.to_base);
    let value = |title, name| table.find(title, name).map(|row| row.value);
    let allocations = |title, name| table.find(title, name).and_then(|row| row.allocations);
    let more = |title, name, than| Some(allocations(title, name)? - allocations(title, than)?);
    // Over a network a buffer grows now and then, whoever calls. Adding zero makes a plain one of -0.
    let per_call = |title, name, than| Some(more(title, name, than)?.round() + 0.0);
    let share = |(title, name), (other, of)| Some(value(title, name)? / value(other, of)?);
    vec![
        ("tower, count 100, x limit", limit(TOWER, COUNT), AtMost(1.5)),
        ("tower, consecutive, x limit", limit(TOWER, "fusebox, consecutive 5"), AtMost(1.5)),
        ("tower, count 100, allocations", allocations(TOWER, COUNT), AtMost(0.0)),
        ("tower, time + slow, x limit + 2 reads", limit(TOWER, "fusebox, time + slow calls"), AtMost(1.25)),
        ("direct, count 100, x (load + fetch_add)", limit(DIRECT, COUNT), AtMost(2.0)),
        ("2 threads, x own 1 thread", share((TWO, COUNT), (ONE, COUNT)), AtLeast(1.0)),
        ("2 threads, x recloser", share((TWO, COUNT), (TWO, "recloser 1.4, count 100")), AtLeast(5.0)),
        ("open, direct, x (clock + 3 locked)", base(OPEN, "fusebox, direct"), AtMost(1.2)),
        ("open, tower, x (clock + 3 locked)", base(OPEN, "fusebox, tower"), AtMost(1.8)),
        ("open, direct, allocations", allocations(OPEN, "fusebox, direct"), AtMost(0.0)),
        ("open, tower, allocations", allocations(OPEN, "fusebox, tower"), AtMost(1.0)),
        ("bytes, default", value(MEMORY, "fusebox, default"), AtMost(640.0)),
        ("bytes, count 100", value(MEMORY, COUNT), AtMost(640.0)),
        ("bytes, time 10 buckets", value(MEMORY, "fusebox, time 10 buckets"), AtMost(640.0)),
        ("100,000 breakers, megabytes", value(REGISTRY, "memory, in megabytes"), AtMost(80.0)),
        ("look-up, 64 hosts, ns", value(REGISTRY, "get, 64 hosts, 1 thread"), AtMost(60.0)),
        ("look-up, anywhere, ns", value(REGISTRY, "get, anywhere, 1 thread"), AtMost(60.0)),
        (
            "look-up, 64 hosts, 2 threads, x 1 thread",
            share((REGISTRY, "get, 64 hosts, 2 threads"), (REGISTRY, "get, 64 hosts, 1 thread")),
            AtMost(1.1),
        ),
        (
            "time window, 1,000,000 calls, x 1,000 calls",
            share(
                (WINDOW, "fusebox, time, 1000000 calls, none failed"),
                (WINDOW, "fusebox, time, 1000 calls, none failed"),
            ),
            AtMost(1.1),
        ),
        ("reqwest, one breaker, more allocations", more(REQWEST, "one breaker", "empty"), AtMost(2.0)),
        ("reqwest, per host, more allocations", more(REQWEST, "per host", "empty"), AtMost(2.0)),
        ("tonic, one breaker, more allocations", more(TONIC, "one breaker", "none"), AtMost(0.0)),
        ("tonic, per method, more allocations", more(TONIC, "per method", "none"), AtMost(0.0)),
        (
            "tonic, with a deadline, more allocations",
            more(TONIC, "one breaker, with a deadline", "none, with a deadline"),
            AtMost(0.0),
        ),
        (
            "loopback, reqwest adapter, more allocations",
            per_call(OVER_HTTP, "one breaker", "empty middleware"),
            AtMost(2.0),
        ),
        (
            "loopback, tonic layer, more allocations",
            per_call(OVER_GRPC, "one breaker", "bare channel"),
            AtMost(0.0),
        ),
        ("detection after 0", value(DETECTION, "fusebox, count 100, after 0"), AtMost(10.0)),
        ("detection after 1,000", value(DETECTION, "fusebox, count 100, after 1000"), AtMost(50.0)),
        ("detection after 1,000,000", value(DETECTION, "fusebox, count 100, after 1000000"), AtMost(50.0)),
    ]
}
