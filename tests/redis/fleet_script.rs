//! The script of a fleet's sync, compared with a simple model, on a clock that the test owns.

use halfopen_redis::FLEET_SCRIPT;
use proptest::prelude::*;
use redis::{Connection, Script};
use test_support::redis::RedisServer;

use crate::world::assert_keys_expire;

const WIDTH: u64 = 10;
const HALF: u64 = 500_000_000;
const MINIMUM: u64 = 4;
const OPEN: u64 = 40;
const PROBE: u64 = 30;
const HOLD: u64 = 8;
/// Keys outlive the test: its clock is not that of the server.
const LIFE: u64 = 600_000;

#[derive(Clone, Debug)]
struct Step {
    forward: u64,
    node: usize,
    is_late: bool,
    calls: u64,
    failures: u64,
    report: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let forward = prop_oneof![3 => 0..5_u64, 3 => 0..60_u64, 1 => 0..400_u64];
    let counts = (0..4_u64).prop_flat_map(|calls| (Just(calls), 0..=calls));
    (forward, 0..3_usize, prop::bool::weighted(0.1), counts, 0..5_u64).prop_map(
        |(forward, node, is_late, (calls, failures), report)| Step {
            forward,
            node,
            is_late,
            calls,
            failures,
            report,
        },
    )
}

/// A fleet with one breaker: the counts of its visit in order of arrival, and the opening in progress.
#[derive(Default)]
struct Model {
    epoch: u64,
    open: Option<Opening>,
    counts: Vec<(u64, u64, u64)>,
}

struct Opening {
    until: u64,
    probe: Option<(usize, u64)>,
}

impl Model {
    fn sync(&mut self, now: u64, step: &Step) -> Vec<u64> {
        let known = self.epoch - u64::from(step.is_late && self.epoch > 0);
        let is_over = |opening: &Opening| {
            let last = opening.probe.map_or(opening.until, |(_, until)| until.max(opening.until));
            now >= last + HOLD
        };
        if self.open.as_ref().is_some_and(is_over) {
            self.enter(now, None);
        }
        if known == self.epoch {
            match &mut self.open {
                None => self.count(now, step),
                Some(opening) => {
                    let outcome = opening.hear(now, step);
                    if let Some(passed) = outcome {
                        self.enter(now, (!passed).then_some(now + OPEN));
                    }
                }
            }
        }
        let (phase, left) = self.open.as_ref().map_or((0, 0), |opening| opening.phase(now, step.node));
        let (calls, failures) = self.sums(now);
        vec![now, 1, self.epoch, phase, left, calls, failures]
    }

    fn enter(&mut self, now: u64, open_until: Option<u64>) {
        self.epoch = now.max(self.epoch + 1);
        self.open = open_until.map(|until| Opening { until, probe: None });
        self.counts.clear();
    }

    fn count(&mut self, now: u64, step: &Step) {
        self.counts.push((now / WIDTH, step.calls, step.failures));
        let (calls, failures) = self.sums(now);
        if step.calls > 0 && calls >= MINIMUM && 2 * failures >= calls {
            self.enter(now, Some(now + OPEN));
        }
    }

    fn sums(&self, now: u64) -> (u64, u64) {
        let live = self.counts.iter().filter(|(bucket, ..)| bucket + 10 > now / WIDTH);
        live.fold((0, 0), |(calls, failures), one| (calls + one.1, failures + one.2))
    }
}

impl Opening {
    /// Whether the probes of this node have passed or failed.
    fn hear(&mut self, now: u64, step: &Step) -> Option<bool> {
        let is_prober = self.probe.is_some_and(|(node, _)| node == step.node);
        let is_free = now >= self.until && self.probe.is_none_or(|(_, until)| now >= until);
        match step.report {
            1 if is_free => self.probe = Some((step.node, now + PROBE)),
            2 if is_prober => self.probe = Some((step.node, now + PROBE)),
            3 if is_prober => return Some(true),
            4 if is_prober => return Some(false),
            _ => {}
        }
        None
    }

    fn phase(&self, now: u64, node: usize) -> (u64, u64) {
        match self.probe {
            _ if now < self.until => (1, self.until - now + HOLD),
            Some((prober, until)) if now < until && prober == node => (3, until - now),
            Some((_, until)) if now < until => (2, until - now + HOLD),
            _ => (4, 0),
        }
    }
}

#[test]
fn the_fleets_script_decides_as_the_plain_model() {
    let Some(server) = RedisServer::start() else { return };
    let connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let world = std::cell::RefCell::new((connection, 0));
    let script = on_a_clock_of_ours();
    crate::runner(300)
        .run(&prop::collection::vec(step(), 0..80), |steps| {
            let (connection, case) = &mut *world.borrow_mut();
            *case += 1;
            play(connection, &script, *case, &steps)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert_keys_expire(&server);
}

fn play(
    connection: &mut Connection,
    script: &Script,
    case: u32,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    let mut now = 1_800_000_000_000;
    for step in steps {
        now += step.forward;
        let known = model.epoch - u64::from(step.is_late && model.epoch > 0);
        let reply =
            sync(connection, script, case, now, step.node, [known, step.calls, step.failures, step.report]);
        let mut expected = model.sync(now, step);
        expected[1] = reply[1];
        prop_assert_eq!(reply, expected);
    }
    Ok(())
}

/// One sync about one breaker: the milliseconds and nodes, and its epoch, phase, time left, calls and failures.
fn sync(
    connection: &mut Connection,
    script: &Script,
    case: u32,
    now: u64,
    node: usize,
    [epoch, calls, failures, report]: [u64; 4],
) -> Vec<u64> {
    let mut invocation = script.key(format!("{case}:nodes"));
    invocation.key(format!("{case}:breakers"));
    let mut packed = Vec::new();
    let mut push = |bytes: &[u8]| packed.extend_from_slice(bytes);
    push(&[6]);
    push(format!("node-{node}").as_bytes());
    for number in [WIDTH, HALF, MINIMUM, OPEN, PROBE, HOLD, LIFE, LIFE] {
        push(&number.to_le_bytes()[..4]);
    }
    push(&[1, 0, 8, 0]);
    push(b"payments");
    push(&epoch.to_le_bytes()[..6]);
    push(&[report as u8]);
    push(&calls.to_le_bytes()[..4]);
    push(&failures.to_le_bytes()[..4]);
    invocation.arg(packed).arg(&[now / 1_000, now % 1_000 * 1_000]);
    let reply: Vec<u8> = invocation.invoke(connection).unwrap();
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let (window, exception) = reply[10..].split_at(12);
    // A reply about a breaker that is closed in the epoch that was sent is not longer.
    let (epoch, phase) = match exception {
        [] => (epoch, 0),
        [1, 0, answer @ ..] => (number(&answer[..6]), number(&answer[6..])),
        _ => panic!("{reply:?}"),
    };
    let [calls, failures] = [&window[..6], &window[6..]].map(number);
    vec![number(&reply[..6]), number(&reply[6..10]), epoch, phase % 8, phase / 8, calls, failures]
}

/// The script with its time in two additional arguments.
fn on_a_clock_of_ours() -> Script {
    let text = FLEET_SCRIPT.replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}");
    assert!(!text.contains("'TIME'"), "the script has changed");
    Script::new(&text)
}

#[test]
fn a_clock_set_back_holds_no_lease_longer() {
    let Some(server) = RedisServer::start() else { return };
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let script = on_a_clock_of_ours();
    let mut at = |now, breaker| sync(&mut connection, &script, 0, now, 0, breaker);
    let now = 1_800_000_000_000;
    let opened = at(now, [0, 4, 4, 0]);
    assert_eq!(opened[3..5], [1, OPEN + HOLD], "{opened:?}");
    let an_hour = 3_600_000;
    let back = at(now - an_hour, [opened[2], 0, 0, 0]);
    assert_eq!(back[3..5], [1, OPEN + HOLD], "{back:?}");
    let over = at(now - an_hour + OPEN, [opened[2], 0, 0, 1]);
    assert_eq!(over[3], 3, "the wait ran from the new time: {over:?}");
    let passed = at(now - an_hour + OPEN, [opened[2], 0, 0, 3]);
    assert!(passed[2] > opened[2] && passed[3] == 0, "epochs grow nevertheless: {passed:?}");
    let counted = at(now - an_hour + OPEN, [passed[2], 3, 3, 0]);
    assert_eq!(counted[3..], [0, 0, 3, 3], "{counted:?}");
}

#[test]
fn nodes_are_counted_until_they_are_silent() {
    let Some(server) = RedisServer::start() else { return };
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let script = on_a_clock_of_ours();
    let mut at = |now, node| sync(&mut connection, &script, 0, now, node, [0, 0, 0, 0])[1];
    assert_eq!([at(1_000, 0), at(1_001, 1), at(1_002, 1)], [1, 2, 2]);
    assert_eq!(at(1_000 + LIFE, 2), 2, "the first is gone");
}
