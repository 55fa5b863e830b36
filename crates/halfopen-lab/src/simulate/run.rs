//! Sends the calls of a scenario past a policy.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::chance::{Chance, split_mix};
use super::policy::{Answer, Policy, Seconds};
use super::scenario::Scenario;
use super::service::{Kind, Prospect, Service};
use super::value::Value;

/// Makes a policy from a seed; each client of a scenario has its own.
pub type Maker<'a> = dyn Fn(u64) -> Box<dyn Policy> + Sync + 'a;

/// One call that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// When.
    pub at: Seconds,
    /// The state of the service for it.
    pub prospect: Prospect,
    /// Its answer; [`None`] if it was rejected.
    pub answer: Option<Answer>,
}

/// All calls of a scenario.
#[derive(Debug)]
pub struct Run {
    /// In the order in which they arrived.
    pub calls: Vec<Call>,
    /// How often the service crashed.
    pub crashes: u32,
}

/// Runs a scenario. Each call has the same luck with every policy.
pub fn against(scenario: &Scenario, make: &Maker<'_>, seed: u64) -> Run {
    let clients = 0..scenario.clients as u64;
    drive(
        scenario,
        &mut Clients {
            policies: clients.map(|client| make(seed * 1000 + client)).collect(),
            ends: BinaryHeap::new(),
        },
        seed,
    )
}

/// Runs a scenario with a caller that knows the state of the service, and calls if that is worth it.
pub fn clairvoyant(scenario: &Scenario, value: &Value, seed: u64) -> Run {
    // A call in a queue also delays those behind it.
    let least = if let Kind::Queue(_) = scenario.service.kind { 0.8 } else { 0.0 };
    drive(scenario, &mut Clairvoyant { value, least }, seed)
}

/// The caller of a scenario.
trait Caller {
    /// Returns the number of the call if it is made.
    fn admit(&mut self, now: Seconds, client: usize, prospect: &Prospect) -> Option<u64>;

    fn made(&mut self, client: usize, call: u64, start: Seconds, answer: Answer);
}

fn drive(scenario: &Scenario, caller: &mut impl Caller, seed: u64) -> Run {
    let mut chance = Chance::seeded(seed.wrapping_mul(0x9E37) ^ 0xA11);
    let arrivals = scenario.arrivals.until(scenario.length, &mut chance);
    let mut service = Service::new(&scenario.service);
    let call = |(index, at): (usize, Seconds)| {
        let prospect = service.prospect(at);
        let mut chance = luck(seed, index as u64);
        let clients = scenario.clients as u64;
        let client = if clients > 1 { (chance.integer() % clients) as usize } else { 0 };
        let answer = caller.admit(at, client, &prospect).map(|call| {
            let answer = service.call(at, &mut chance);
            caller.made(client, call, at, answer);
            answer
        });
        Call { at, prospect, answer }
    };
    let calls = arrivals.into_iter().enumerate().map(call).collect();
    Run { calls, crashes: service.crashes() }
}

/// The chance of one call.
fn luck(seed: u64, index: u64) -> Chance {
    let mut state = seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Chance::seeded(split_mix(&mut state))
}

struct Clairvoyant<'a> {
    value: &'a Value,
    least: f64,
}

impl Caller for Clairvoyant<'_> {
    fn admit(&mut self, _: Seconds, _: usize, prospect: &Prospect) -> Option<u64> {
        (self.value.expected(prospect) > self.least).then_some(0)
    }

    fn made(&mut self, _: usize, _: u64, _: Seconds, _: Answer) {}
}

struct Clients {
    policies: Vec<Box<dyn Policy>>,
    /// The calls in flight, the next one to end first.
    ends: BinaryHeap<Reverse<End>>,
}

impl Caller for Clients {
    fn admit(&mut self, now: Seconds, client: usize, _: &Prospect) -> Option<u64> {
        while self.ends.peek().is_some_and(|Reverse(end)| end.at <= now) {
            let Some(Reverse(end)) = self.ends.pop() else { break };
            self.policies[end.client].end(end.call, end.start, &end.answer, end.at);
        }
        self.policies[client].admit(now)
    }

    fn made(&mut self, client: usize, call: u64, start: Seconds, answer: Answer) {
        self.ends.push(Reverse(End { at: start + answer.took, start, client, call, answer }));
    }
}

/// The end of a call in flight, ordered by time.
struct End {
    at: Seconds,
    start: Seconds,
    client: usize,
    call: u64,
    answer: Answer,
}

impl Ord for End {
    fn cmp(&self, other: &End) -> std::cmp::Ordering {
        self.at.total_cmp(&other.at).then(self.start.total_cmp(&other.start))
    }
}

impl PartialOrd for End {
    fn partial_cmp(&self, other: &End) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for End {
    fn eq(&self, other: &End) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for End {}
