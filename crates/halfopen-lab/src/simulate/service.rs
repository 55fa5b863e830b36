//! Models of services: what becomes of a call that arrives at a moment.

use super::chance::{Chance, normal_cdf};
use super::policy::{Answer, Outcome, Seconds};

/// How long answers take, and how long the caller cares.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// The median of the successes, whose logarithm is normally distributed.
    pub median: Seconds,
    /// The standard deviation of the logarithm.
    pub sigma: f64,
    /// A success after this is late.
    pub useful_for: Seconds,
    /// When the caller stops waiting.
    pub timeout: Seconds,
    /// The median of a failure.
    pub failure: Seconds,
}

impl Latency {
    /// A service on the same network.
    pub const MICROSERVICE: Latency =
        Latency { median: 0.05, sigma: 0.5, useful_for: 0.5, timeout: 2.0, failure: 0.01 };
    /// A language model.
    pub const LANGUAGE_MODEL: Latency =
        Latency { median: 3.0, sigma: 0.6, useful_for: 25.0, timeout: 60.0, failure: 0.4 };
}

/// A stretch of time with its own behaviour. Pairs are the values at its begin and at its end.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    begin: Seconds,
    end: Seconds,
    failing: (f64, f64),
    hanging: (f64, f64),
    slower: (f64, f64),
}

impl Phase {
    /// A phase like the time around it.
    pub fn new(begin: Seconds, end: Seconds) -> Phase {
        Phase { begin, end, failing: (0.0, 0.0), hanging: (0.0, 0.0), slower: (1.0, 1.0) }
    }

    /// This share of the calls fails.
    pub fn failing(self, share: f64) -> Phase {
        self.failing_from(share, share)
    }

    /// The share that fails changes evenly.
    pub fn failing_from(self, begin: f64, end: f64) -> Phase {
        Phase { failing: (begin, end), ..self }
    }

    /// This share of the calls has no answer before the timeout.
    pub fn hanging(self, share: f64) -> Phase {
        Phase { hanging: (share, share), ..self }
    }

    /// Answers take so many times as long.
    pub fn slower(self, times: f64) -> Phase {
        self.slower_from(times, times)
    }

    /// The same with a multiple that changes evenly.
    pub fn slower_from(self, begin: f64, end: f64) -> Phase {
        Phase { slower: (begin, end), ..self }
    }

    fn holds(&self, now: Seconds) -> bool {
        (self.begin..self.end).contains(&now)
    }

    fn at(&self, now: Seconds, (begin, end): (f64, f64)) -> f64 {
        let part = ((now - self.begin) / (self.end - self.begin)).clamp(0.0, 1.0);
        begin + (end - begin) * part
    }
}

/// A value that changes at moments; the first one holds from the start.
#[derive(Clone, Debug)]
pub struct Steps(Vec<(Seconds, f64)>);

impl Steps {
    /// The values, each with the moment from which it holds, in order.
    pub fn new(steps: impl Into<Vec<(Seconds, f64)>>) -> Steps {
        Steps(steps.into())
    }

    fn at(&self, now: Seconds) -> f64 {
        self.0.iter().rev().find(|(from, _)| now >= *from).or(self.0.first()).map_or(0.0, |(_, value)| *value)
    }
}

/// What decides whether a call succeeds, beside the share that always fails.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The time alone.
    Phases(Vec<Phase>),
    /// The load: all clients wait in one queue.
    Queue(Queue),
    /// A number of calls in each period.
    Quota {
        /// The period.
        period: Seconds,
        /// The calls that each may hold.
        calls: Steps,
    },
    /// A token bucket.
    Bucket {
        /// Tokens a second.
        rate: Steps,
        /// The tokens that it holds.
        burst: f64,
        /// The hint of a throttled answer.
        retry_after: Option<Seconds>,
    },
}

/// A server whose calls wait for each other.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Calls a second.
    pub capacity: Steps,
    /// Stretches in which every call is refused.
    pub down: Vec<(Seconds, Seconds)>,
    /// The part of the capacity that a cold server has.
    pub cold: f64,
    /// A cold server is warm after this many calls.
    pub warm_after: f64,
    /// A queue of so many seconds makes the server crash, if any does.
    pub crashes_at: Option<Seconds>,
    /// How long a crash lasts.
    pub crash: Seconds,
    /// Calls are refused while the queue is longer than this.
    pub refuses_at: Option<Seconds>,
}

impl Queue {
    /// A server that is always warm, and never full.
    pub fn with(capacity: impl Into<Vec<(Seconds, f64)>>) -> Queue {
        Queue {
            capacity: Steps::new(capacity),
            down: Vec::new(),
            cold: 1.0,
            warm_after: 0.0,
            crashes_at: None,
            crash: 0.0,
            refuses_at: None,
        }
    }

    fn is_down(&self, now: Seconds) -> bool {
        self.down.iter().any(|(begin, end)| (*begin..*end).contains(&now))
    }
}

/// A service, as a scenario describes it.
#[derive(Clone, Debug)]
pub struct Description {
    /// The share of calls that fails at all times.
    pub failing: f64,
    /// What else decides.
    pub kind: Kind,
    /// How long its answers take.
    pub latency: Latency,
}

/// The expected results of a call at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prospect {
    /// The probability of an answer in time.
    pub in_time: f64,
    /// The probability of a late one.
    pub late: f64,
    /// How long a late one takes, as a share of the timeout.
    pub late_wait: f64,
    /// The expected cost of having no answer.
    pub loss: f64,
}

/// The cost of a call that ends at the timeout.
pub const TIMEOUT_COST: f64 = 2.0;

/// A service at work.
#[derive(Debug)]
pub struct Service<'a> {
    is: &'a Description,
    crashed_until: Seconds,
    /// Calls in the queue, as of a moment.
    queue: f64,
    at: Seconds,
    served: f64,
    was_down: bool,
    crashes: u32,
    /// The period of the quota, and the calls made in it.
    period: f64,
    used: f64,
    tokens: f64,
}

/// The work of a queue is divided into steps of this length.
const STEP: Seconds = 0.01;
const MOST_STEPS: f64 = 2000.0;

impl<'a> Service<'a> {
    /// A service that has been up for long.
    pub fn new(is: &'a Description) -> Service<'a> {
        let tokens = if let Kind::Bucket { burst, .. } = is.kind { burst } else { 0.0 };
        Service {
            is,
            crashed_until: -1.0,
            queue: 0.0,
            at: 0.0,
            served: f64::MAX,
            was_down: false,
            crashes: 0,
            period: -1.0,
            used: 0.0,
            tokens,
        }
    }

    /// Returns how often it crashed.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// Returns the answer to a call at `now`. Each call draws the same numbers in the same order, whatever it finds.
    pub fn call(&mut self, now: Seconds, chance: &mut Chance) -> Answer {
        self.advance(now);
        let latency = &self.is.latency;
        let (fails, hangs) = (chance.even(), chance.even());
        let took = chance.log_normal(latency.median, latency.sigma);
        let failure = chance.log_normal(latency.failure, 0.3);
        let fails_anyway = fails < self.is.failing;
        let failed = self.ends(Outcome::Failure, failure, None);
        match &self.is.kind {
            Kind::Phases(phases) => {
                let (failing, hanging, slower) = phased(phases, self.is.failing, now);
                if hangs < hanging {
                    self.ends(Outcome::Timeout, latency.timeout, None)
                } else if fails < failing {
                    failed
                } else {
                    self.ends(Outcome::Success, took * slower, None)
                }
            }
            Kind::Queue(queue) => {
                let capacity = self.capacity(queue, now);
                let wait = self.queue / capacity;
                let full = queue.refuses_at.is_some_and(|limit| wait > limit);
                if fails_anyway || full || self.is_refusing(queue, now) {
                    return failed;
                }
                self.queue += 1.0;
                if queue.crashes_at.is_some_and(|limit| self.queue / capacity > limit) {
                    self.crashed_until = now + queue.crash;
                    (self.queue, self.served) = (0.0, 0.0);
                    self.crashes += 1;
                    return failed;
                }
                self.ends(Outcome::Success, wait + took, None)
            }
            Kind::Quota { period, calls } => {
                let current = (now / period).floor();
                if current != self.period {
                    (self.period, self.used) = (current, 0.0);
                }
                if self.used + 1.0 > calls.at(now) {
                    let rest = (current + 1.0) * period - now - failure;
                    return self.ends(Outcome::Throttled, failure, Some(rest.max(0.0)));
                }
                self.used += 1.0;
                if fails_anyway { failed } else { self.ends(Outcome::Success, took, None) }
            }
            Kind::Bucket { retry_after, .. } => {
                if self.tokens < 1.0 {
                    return self.ends(Outcome::Throttled, failure, *retry_after);
                }
                self.tokens -= 1.0;
                if fails_anyway { failed } else { self.ends(Outcome::Success, took, None) }
            }
        }
    }

    /// Returns the expected results of a call at `now`.
    pub fn prospect(&mut self, now: Seconds) -> Prospect {
        self.advance(now);
        let latency = &self.is.latency;
        let fails = 1.0 + latency.failure / latency.timeout;
        let refused = Prospect { in_time: 0.0, late: 0.0, late_wait: 0.0, loss: fails };
        let mut failing = self.is.failing;
        let (mut hanging, mut slower, mut wait) = (0.0, 1.0, 0.0);
        match &self.is.kind {
            Kind::Phases(phases) => (failing, hanging, slower) = phased(phases, failing, now),
            Kind::Queue(queue) if self.is_refusing(queue, now) => return refused,
            Kind::Queue(queue) => wait = self.queue / self.capacity(queue, now),
            Kind::Quota { period, calls } => {
                let used = if (now / period).floor() == self.period { self.used } else { 0.0 };
                if used + 1.0 > calls.at(now) {
                    return refused;
                }
            }
            Kind::Bucket { .. } if self.tokens < 1.0 => return refused,
            Kind::Bucket { .. } => {}
        }
        let median = latency.median * slower;
        let within = |limit: Seconds| match limit - wait {
            rest if rest <= 0.0 => 0.0,
            rest => normal_cdf((rest / median).ln() / latency.sigma),
        };
        let (in_time, answered) = (within(latency.useful_for), within(latency.timeout));
        let succeeds = (1.0 - hanging) * (1.0 - failing);
        Prospect {
            in_time: succeeds * in_time,
            late: succeeds * (answered - in_time).max(0.0),
            late_wait: (wait + median).clamp(latency.useful_for, latency.timeout) / latency.timeout,
            loss: succeeds * (1.0 - answered) * TIMEOUT_COST
                + hanging * TIMEOUT_COST
                + (1.0 - hanging) * failing * fails,
        }
    }

    fn ends(&self, outcome: Outcome, took: Seconds, retry_after: Option<Seconds>) -> Answer {
        let timeout = self.is.latency.timeout;
        if took >= timeout {
            return Answer { outcome: Outcome::Timeout, took: timeout, retry_after: None };
        }
        Answer { outcome, took, retry_after }
    }

    fn is_refusing(&self, queue: &Queue, now: Seconds) -> bool {
        now < self.crashed_until || queue.is_down(now)
    }

    fn capacity(&self, queue: &Queue, now: Seconds) -> f64 {
        let warmth = if queue.warm_after > 0.0 { (self.served / queue.warm_after).min(1.0) } else { 1.0 };
        queue.capacity.at(now) * (queue.cold + (1.0 - queue.cold) * warmth)
    }

    /// Serves the queue, and fills the bucket.
    fn advance(&mut self, now: Seconds) {
        let elapsed = now - self.at;
        if elapsed <= 0.0 {
            return;
        }
        match &self.is.kind {
            Kind::Phases(_) | Kind::Quota { .. } => {}
            Kind::Bucket { rate, burst, .. } => {
                self.tokens = (self.tokens + elapsed * rate.at(now)).min(*burst);
            }
            Kind::Queue(queue) => {
                let steps = (elapsed / STEP).ceil().clamp(1.0, MOST_STEPS);
                let step = elapsed / steps;
                for index in 0..steps as u32 {
                    if self.queue <= 0.0 {
                        break;
                    }
                    let capacity = self.capacity(queue, self.at + step * f64::from(index));
                    let done = (capacity * step).min(self.queue);
                    self.queue -= done;
                    self.served += done;
                }
                let is_down = queue.is_down(now);
                if is_down {
                    self.queue = 0.0;
                } else if self.was_down && queue.cold < 1.0 {
                    self.served = 0.0;
                }
                self.was_down = is_down;
            }
        }
        self.at = now;
    }
}

/// The share that fails, the share that hangs, and the multiple of the latency: the last phase that holds decides.
fn phased(phases: &[Phase], failing: f64, now: Seconds) -> (f64, f64, f64) {
    phases.iter().rev().find(|phase| phase.holds(now)).map_or((failing, 0.0, 1.0), |phase| {
        let at = |pair| phase.at(now, pair);
        (at(phase.failing).max(failing), at(phase.hanging), at(phase.slower))
    })
}
