//! A rate limiter against a bucket of tokens with a list of waiters.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use halfopen::{Clock, Rejected};
use halfopen_limit::{AcquireRate, KeyedRateLimiter, Quota, RateLimiter};
use proptest::prelude::*;

const MAX_WAIT: u64 = 5_000;

#[derive(Clone, Debug)]
enum Step {
    Try(u32),
    Arrive(u32),
    Leave(usize),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u32).prop_map(Step::Try),
        4 => (0..5_u32).prop_map(Step::Arrive),
        2 => any::<usize>().prop_map(Step::Leave),
        4 => (0..4_000_u64).prop_map(Step::Advance),
    ]
}

/// One token a nanosecond, as many as the burst costs, and the waiters in order.
struct Model {
    interval: u64,
    burst: u64,
    now: u64,
    tokens: u64,
    queue: VecDeque<(usize, u64)>,
    permitted: Vec<usize>,
}

impl Model {
    fn new(interval: u64, burst: u64) -> Model {
        let tokens = interval * burst;
        Model { interval, burst, now: 0, tokens, queue: VecDeque::new(), permitted: Vec::new() }
    }

    /// Lets the time go on, from turn to turn.
    fn advance(&mut self, mut by: u64) {
        while let Some((call, cost)) = self.queue.front().copied() {
            let left = cost.saturating_sub(self.tokens);
            if left > by {
                break;
            }
            by -= left;
            self.now += left;
            self.tokens = self.tokens + left - cost;
            self.permitted.push(call);
            self.queue.pop_front();
        }
        self.now += by;
        self.tokens = (self.tokens + by).min(self.interval * self.burst);
    }

    /// Nanoseconds until so many calls are permitted behind the queue; [`None`] is never.
    fn wait(&self, calls: u32) -> Option<u64> {
        let calls = u64::from(calls);
        let queued: u64 = self.queue.iter().map(|(_, cost)| cost).sum();
        match calls {
            0 => Some(0),
            _ if calls > self.burst => None,
            _ => Some((queued + calls * self.interval).saturating_sub(self.tokens)),
        }
    }

    fn take(&mut self, calls: u32) {
        self.tokens -= u64::from(calls) * self.interval;
    }
}

fn poll(waiter: Pin<&mut AcquireRate>) -> Poll<Result<(), Rejected>> {
    waiter.poll(&mut Context::from_waker(Waker::noop()))
}

fn refused(wait: Option<u64>) -> Option<Duration> {
    wait.map(Duration::from_nanos)
}

fn play(interval: u64, burst: u32, steps: &[Step]) -> Result<(), TestCaseError> {
    // Futures are polled by hand and the runtime's clock stands still: time is the manual clock's alone.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _inside = runtime.enter();
    let (clock, hands) = Clock::manual();
    let quota = Quota::calls(1).per(Duration::from_nanos(interval)).burst(burst).unwrap();
    let max_wait = Duration::from_nanos(MAX_WAIT);
    let limiter = RateLimiter::builder("tasks", quota).clock(clock).max_wait(max_wait).build();
    let mut waiters: Vec<(usize, Pin<Box<AcquireRate>>)> = Vec::new();
    let mut permitted = Vec::new();
    let mut model = Model::new(interval, burst.into());
    for (call, step) in steps.iter().enumerate() {
        match *step {
            Step::Try(calls) => {
                let real = limiter.try_acquire_many(calls);
                match model.wait(calls) {
                    Some(0) => {
                        prop_assert!(real.is_ok(), "step {call} of {steps:?}");
                        model.take(calls);
                    }
                    wait => {
                        let real = real.map_err(|rejected| rejected.retry_after());
                        prop_assert_eq!(real, Err(refused(wait)), "step {} of {:?}", call, steps);
                    }
                }
            }
            Step::Arrive(calls) => {
                let mut waiter = Box::pin(limiter.acquire_many(calls));
                match (model.wait(calls), poll(waiter.as_mut())) {
                    (Some(0), Poll::Ready(Ok(()))) => model.take(calls),
                    (Some(1..=MAX_WAIT), Poll::Pending) => {
                        model.queue.push_back((call, u64::from(calls) * interval));
                        waiters.push((call, waiter));
                    }
                    (wait, Poll::Ready(Err(rejected))) => {
                        prop_assert_eq!(
                            rejected.retry_after(),
                            refused(wait),
                            "step {} of {:?}",
                            call,
                            steps
                        );
                        prop_assert!(wait.is_none_or(|wait| wait > MAX_WAIT), "step {call} of {steps:?}");
                    }
                    (wait, real) => prop_assert!(false, "{wait:?} is {real:?} at step {call} of {steps:?}"),
                }
            }
            Step::Leave(which) if !model.queue.is_empty() => {
                let which = which % model.queue.len();
                model.queue.remove(which);
                drop(waiters.remove(which));
                model.advance(0);
            }
            Step::Leave(_) => {}
            Step::Advance(by) => {
                model.advance(by);
                hands.advance(Duration::from_nanos(by));
            }
        }
        waiters.retain_mut(|(call, waiter)| {
            let waits = poll(waiter.as_mut()).is_pending();
            if !waits {
                permitted.push(*call);
            }
            waits
        });
        prop_assert_eq!(&permitted, &model.permitted, "after step {} of {:?}", call, steps);
        prop_assert_eq!(waiters.len(), model.queue.len());
    }
    Ok(())
}

#[test]
fn any_history_goes_as_a_bucket_of_tokens_does() {
    let histories = (100..2_000_u64, 1..6_u32, prop::collection::vec(step(), 0..120));
    crate::runner(600)
        .run(&histories, |(interval, burst, steps)| play(interval, burst, &steps))
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn each_key_goes_as_a_bucket_of_its_own() {
    let steps = prop::collection::vec((0..4_usize, 0..4_u32, 0..900_u64), 0..200);
    let played = crate::runner(200).run(&steps, |steps| {
        let (clock, hands) = Clock::manual();
        let quota = Quota::calls(1).per(Duration::from_nanos(700)).burst(3).unwrap();
        let limiter = KeyedRateLimiter::builder("tools", quota).clock(clock).build().unwrap();
        let mut models: Vec<Model> = (0..4).map(|_| Model::new(700, 3)).collect();
        for (key, calls, by) in steps {
            hands.advance(Duration::from_nanos(by));
            models.iter_mut().for_each(|model| model.advance(by));
            let real = limiter.try_acquire_many(["a", "b", "c", "d"][key], calls);
            let model = &mut models[key];
            let wait = model.wait(calls);
            prop_assert_eq!(real.is_ok(), wait == Some(0));
            match real {
                Ok(()) => model.take(calls),
                Err(rejected) => prop_assert_eq!(rejected.retry_after(), refused(wait)),
            }
        }
        Ok(())
    });
    played.unwrap_or_else(|failure| panic!("{failure}"));
}
