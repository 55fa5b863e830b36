//! The script of shared rate limits, compared with a simple model, on a clock that the test owns.

use halfopen_redis::RATE_LIMIT_SCRIPT;
use proptest::prelude::*;
use redis::{Connection, Script};
use test_support::redis::RedisServer;

use crate::world::assert_keys_expire;

const SECOND: u64 = 1_000_000_000;
/// The maximum wait of a call.
const LONGEST: u64 = 5_000;

#[derive(Clone, Debug)]
enum Step {
    Take { calls: u64, may_wait: u64 },
    Forward(u64),
    Back(u64),
    SetQuota { interval: u64, burst: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..5_u64, prop_oneof![Just(0), 0..=LONGEST])
            .prop_map(|(calls, may_wait)| Step::Take { calls, may_wait }),
        // The server's clock has a resolution of microseconds.
        6 => prop_oneof![1..10_u64, 1..5_000_000_u64].prop_map(|micros| Step::Forward(1_000 * micros)),
        1 => (1..2_000_000_u64).prop_map(|micros| Step::Back(1_000 * micros)),
        1 => (100..5_000_u64, 1..6_u64).prop_map(|(interval, burst)| Step::SetQuota { interval, burst }),
    ]
}

/// A debt that decreases by one per nanosecond, and increases by an interval per call.
struct Model {
    interval: u64,
    burst: u64,
    /// The time at which the debt is zero.
    paid: u64,
}

impl Model {
    fn take(&mut self, now: u64, calls: u64, may_wait: u64) -> (bool, u64) {
        let credit = self.interval * self.burst;
        let owed = self.paid.saturating_sub(now).min(credit + LONGEST) + calls * self.interval;
        let wait = owed.saturating_sub(credit);
        if wait > may_wait {
            return (false, wait);
        }
        self.paid = now + owed;
        (true, wait)
    }
}

#[test]
fn the_script_decides_as_the_plain_model() {
    let Some(server) = RedisServer::start() else { return };
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let script = on_a_clock_of_ours();
    let histories = ((100..5_000_u64, 1..6_u64), prop::collection::vec(step(), 0..60));
    let mut case = 0;
    let key = |case: &mut u32| {
        *case += 1;
        format!("case-{case}")
    };
    let keys = std::cell::RefCell::new((&mut connection, &mut case));
    crate::runner(200)
        .run(&histories, |(quota, steps)| {
            let (connection, case) = &mut *keys.borrow_mut();
            play(connection, &script, &key(case), quota, steps)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert_keys_expire(&server);
}

fn play(
    connection: &mut Connection,
    script: &Script,
    key: &str,
    (interval, burst): (u64, u64),
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut model = Model { interval, burst, paid: 0 };
    // A current date, at which a double cannot represent nanoseconds.
    let mut now = 1_800_000_000 * SECOND;
    for step in steps {
        match step {
            Step::Take { calls, may_wait } => {
                let Model { interval, burst, .. } = model;
                let request = [interval, burst, calls, may_wait, LONGEST, now / SECOND, now % SECOND / 1_000];
                let decided: (bool, u64) = script.key(key).arg(&request).invoke(connection).unwrap();
                prop_assert_eq!(decided, model.take(now, calls, may_wait));
            }
            Step::Forward(by) => now += by,
            Step::Back(by) => now -= by,
            Step::SetQuota { interval, burst } => model = Model { interval, burst, ..model },
        }
    }
    Ok(())
}

/// The script with its time in two additional arguments. Its keys live longer, because the server's time
/// advances.
fn on_a_clock_of_ours() -> Script {
    let text = RATE_LIMIT_SCRIPT.replace("redis.call('TIME')", "{ARGV[6], ARGV[7]}");
    let text = text.replace("+ 1000)", "+ 600000)");
    assert!(!text.contains("TIME") && text.contains("600000"), "the script has changed");
    Script::new(&text)
}

#[test]
fn a_pace_of_a_century_is_exact_enough() {
    let Some(server) = RedisServer::start() else { return };
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let century = 3_155_760_000 * SECOND;
    let request = [century, 1, 1, 0, 0];
    let script = Script::new(RATE_LIMIT_SCRIPT);
    let mut take = || script.key("rare").arg(&request).invoke::<(bool, u64)>(&mut connection).unwrap();
    assert_eq!(take(), (true, 0));
    let (permitted, wait) = take();
    assert!(!permitted && wait.abs_diff(century) < 60 * SECOND, "{wait}");
    assert_keys_expire(&server);
}

#[test]
fn a_value_that_is_not_ours_is_replaced() {
    let Some(server) = RedisServer::start() else { return };
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    server.command(&["SET", "limit", "something else"]);
    let script = Script::new(RATE_LIMIT_SCRIPT);
    let taken: (bool, u64) = script.key("limit").arg(&[SECOND, 1, 1, 0, 0]).invoke(&mut connection).unwrap();
    assert_eq!(taken, (true, 0));
    assert_keys_expire(&server);
}
