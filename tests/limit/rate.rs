//! Rate limiters, compared with a token bucket per key with a list of waiters.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use halfopen::{Clock, ManualClock, Rejected};
use halfopen_limit::{KeyedRateLimiter, Quota, RateLimiter};
use proptest::prelude::*;

const MAX_WAIT: u64 = 5_000;
const KEYS: [&str; 3] = ["a", "b", "c"];

/// A step of one key, or of all.
#[derive(Clone, Debug)]
enum Step {
    Try(u32),
    Arrive(u32),
    Leave(usize),
    Advance(u64),
    SetQuota(u64, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..5_u32).prop_map(Step::Try),
        8 => (0..5_u32).prop_map(Step::Arrive),
        4 => any::<usize>().prop_map(Step::Leave),
        8 => (0..4_000_u64).prop_map(Step::Advance),
        1 => (100..2_000_u64, 1..6_u32).prop_map(|(interval, burst)| Step::SetQuota(interval, burst)),
    ]
}

/// One token per nanosecond, as many as the burst costs, and the waiters with their calls in order.
struct Model {
    interval: u64,
    burst: u64,
    tokens: u64,
    queue: VecDeque<(usize, u64)>,
    permitted: Vec<usize>,
}

impl Model {
    fn new(interval: u64, burst: u64) -> Model {
        let tokens = interval * burst;
        Model { interval, burst, tokens, queue: VecDeque::new(), permitted: Vec::new() }
    }

    /// Advances the time, from turn to turn.
    fn advance(&mut self, mut by: u64) {
        while let Some((call, calls)) = self.queue.front().copied() {
            let cost = calls * self.interval;
            let left = cost.saturating_sub(self.tokens);
            if left > by {
                break;
            }
            by -= left;
            self.tokens = self.tokens + left - cost;
            self.permitted.push(call);
            self.queue.pop_front();
        }
        self.tokens += by;
        // A new quota may leave a waiter with more calls than its burst: tokens accumulate for it.
        if self.queue.is_empty() {
            self.tokens = self.tokens.min(self.interval * self.burst);
        }
    }

    /// Nanoseconds until this number of calls is permitted behind the queue; [`None`] means never.
    fn wait(&self, calls: u32) -> Option<u64> {
        let calls = u64::from(calls);
        let queued: u64 = self.queue.iter().map(|(_, calls)| calls * self.interval).sum();
        match calls {
            0 => Some(0),
            _ if calls > self.burst => None,
            _ => Some((queued + calls * self.interval).saturating_sub(self.tokens)),
        }
    }

    fn take(&mut self, calls: u32) {
        self.tokens -= u64::from(calls) * self.interval;
    }

    /// Used calls stay used, for no longer than the new burst takes to refill.
    fn set_quota(&mut self, interval: u64, burst: u64) {
        let used = (self.interval * self.burst).saturating_sub(self.tokens).min(interval * burst);
        (self.interval, self.burst) = (interval, burst);
        self.tokens = interval * burst - used;
        self.advance(0);
    }
}

type Acquire = Pin<Box<dyn Future<Output = Result<(), Rejected>>>>;

/// The subject of the comparison: one quota, or one per key.
enum Subject {
    One(RateLimiter),
    Keyed(KeyedRateLimiter),
}

impl Subject {
    fn one(interval: u64, burst: u32) -> (Subject, ManualClock) {
        let (clock, hands) = Clock::manual();
        let limiter = RateLimiter::builder("tasks", quota(interval, burst)).clock(clock);
        (Subject::One(limiter.max_wait(Duration::from_nanos(MAX_WAIT)).build()), hands)
    }

    fn keyed(interval: u64, burst: u32) -> (Subject, ManualClock) {
        let (clock, hands) = Clock::manual();
        let limiter = KeyedRateLimiter::builder("tools", quota(interval, burst)).clock(clock);
        (Subject::Keyed(limiter.max_wait(Duration::from_nanos(MAX_WAIT)).build().unwrap()), hands)
    }

    fn keys(&self) -> usize {
        match self {
            Subject::One(_) => 1,
            Subject::Keyed(_) => KEYS.len(),
        }
    }

    fn try_acquire(&self, key: usize, calls: u32) -> Result<(), Rejected> {
        match self {
            Subject::One(limiter) => limiter.try_acquire_many(calls),
            Subject::Keyed(limiter) => limiter.try_acquire_many(KEYS[key], calls),
        }
    }

    fn acquire(&self, key: usize, calls: u32) -> Acquire {
        match self {
            Subject::One(limiter) => Box::pin(limiter.acquire_many(calls)),
            Subject::Keyed(limiter) => Box::pin(limiter.acquire_many(KEYS[key], calls)),
        }
    }

    fn waiting(&self) -> usize {
        match self {
            Subject::One(limiter) => limiter.snapshot().waiting,
            Subject::Keyed(limiter) => limiter.snapshot().waiting,
        }
    }

    fn set_quota(&self, key: usize, quota: Quota) {
        match self {
            Subject::One(limiter) => limiter.set_quota(quota),
            Subject::Keyed(limiter) => limiter.set_quota_for(KEYS[key], quota),
        }
    }
}

fn quota(interval: u64, burst: u32) -> Quota {
    Quota::calls(1).per(Duration::from_nanos(interval)).burst(burst).unwrap()
}

fn poll(waiter: &mut Acquire) -> Poll<Result<(), Rejected>> {
    waiter.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn refused(wait: Option<u64>) -> Option<Duration> {
    wait.map(Duration::from_nanos)
}

fn play(
    (subject, hands): (Subject, ManualClock),
    (interval, burst): (u64, u32),
    steps: &[(usize, Step)],
) -> Result<(), TestCaseError> {
    // Futures are polled by hand and the runtime's clock is stopped: only the manual clock moves.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _inside = runtime.enter();
    let mut models: Vec<_> = (0..subject.keys()).map(|_| Model::new(interval, burst.into())).collect();
    let mut waiters: Vec<(usize, usize, Acquire)> = Vec::new();
    let mut permitted = vec![Vec::new(); models.len()];
    for (call, (key, step)) in steps.iter().enumerate() {
        let key = key % models.len();
        let model = &mut models[key];
        match *step {
            Step::Try(calls) => {
                let real = subject.try_acquire(key, calls).map_err(|rejected| rejected.retry_after());
                match model.wait(calls) {
                    Some(0) => {
                        prop_assert!(real.is_ok(), "step {call} of {steps:?}");
                        model.take(calls);
                    }
                    wait => prop_assert_eq!(real, Err(refused(wait)), "step {} of {:?}", call, steps),
                }
            }
            Step::Arrive(calls) => {
                let mut waiter = subject.acquire(key, calls);
                match (model.wait(calls), poll(&mut waiter)) {
                    (Some(0), Poll::Ready(Ok(()))) => model.take(calls),
                    (Some(1..=MAX_WAIT), Poll::Pending) => {
                        model.queue.push_back((call, calls.into()));
                        waiters.push((key, call, waiter));
                    }
                    (wait, Poll::Ready(Err(rejected))) => {
                        let real = rejected.retry_after();
                        prop_assert_eq!(real, refused(wait), "step {} of {:?}", call, steps);
                        prop_assert!(wait.is_none_or(|wait| wait > MAX_WAIT), "step {call} of {steps:?}");
                    }
                    (wait, real) => prop_assert!(false, "{wait:?} is {real:?} at step {call} of {steps:?}"),
                }
            }
            Step::Leave(which) if !model.queue.is_empty() => {
                let (left, _) = model.queue.remove(which % model.queue.len()).unwrap();
                waiters.retain(|(_, call, _)| *call != left);
                model.advance(0);
            }
            Step::Leave(_) => {}
            Step::Advance(by) => {
                models.iter_mut().for_each(|model| model.advance(by));
                hands.advance(Duration::from_nanos(by));
            }
            Step::SetQuota(interval, burst) => {
                model.set_quota(interval, burst.into());
                subject.set_quota(key, quota(interval, burst));
            }
        }
        waiters.retain_mut(|(key, call, waiter)| {
            let waits = poll(waiter).is_pending();
            if !waits {
                permitted[*key].push(*call);
            }
            waits
        });
        for (permitted, model) in permitted.iter().zip(&models) {
            prop_assert_eq!(permitted, &model.permitted, "after step {} of {:?}", call, steps);
        }
        let queued: usize = models.iter().map(|model| model.queue.len()).sum();
        prop_assert_eq!((waiters.len(), subject.waiting()), (queued, queued));
    }
    Ok(())
}

fn any_history_goes_as_the_model(subject: fn(u64, u32) -> (Subject, ManualClock)) {
    let steps = prop::collection::vec((0..KEYS.len(), step()), 0..150);
    let histories = (100..2_000_u64, 1..6_u32, steps);
    let played = crate::runner(600).run(&histories, |(interval, burst, steps)| {
        play(subject(interval, burst), (interval, burst), &steps)
    });
    played.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn any_history_goes_as_a_bucket_of_tokens_does() {
    any_history_goes_as_the_model(Subject::one);
}

#[test]
fn each_key_goes_as_a_bucket_of_its_own() {
    any_history_goes_as_the_model(Subject::keyed);
}
