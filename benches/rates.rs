//! Rates of several callers on one breaker, in interleaved rounds.
//!
//! A core may be taken away temporarily, and then two threads have the rate of one, whichever library they
//! call. So a rate is compared as a time is: by the least disturbed quarter of the rounds, here the fastest.
//! The quartile is the same for all libraries, and never a single round: contending callers are also fast in
//! the few rounds in which they did not meet, so "best" is not representative. With more callers than cores
//! they take turns anyway; slices are longer there, so that more of the callers meet.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tower_service::Service;

use crate::harness::{Timing, now};
use crate::services::drive;
use crate::table::Group;

const ROUNDS: usize = 61;
/// For two callers; longer for more.
const SLICE: Duration = Duration::from_millis(3);

/// Several concurrent callers. `run` makes this number of calls with each, and returns the time until the last
/// one has finished.
pub(crate) struct Crowd<'a> {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn(u64) -> Duration + 'a>,
}

/// The calls of one thread on the shared breaker.
pub(crate) type Worker = Box<dyn FnMut(u64) + Send>;

/// Millions of calls per second of all callers together, relative to two of the crowds.
pub(crate) fn rates(
    title: &str,
    callers: u64,
    crowds: &[Crowd<'_>],
    base: &'static str,
    limit: &'static str,
) -> Group {
    let calls: Vec<u64> =
        crowds.iter().map(|crowd| crowd.calibrate(SLICE * callers.max(2) as u32 / 2)).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); crowds.len()];
    for round in 0..ROUNDS {
        for place in 0..crowds.len() {
            let place = (place + round) % crowds.len();
            let took = (crowds[place].run)(calls[place]);
            rounds[place].push(took.as_nanos() as f64 / (callers * calls[place]) as f64);
        }
    }
    let timings = crowds.iter().zip(rounds).map(|(crowd, rounds)| Timing::of(&*crowd.name, rounds));
    Group::of_rates(title, &timings.collect::<Vec<_>>(), base, limit)
}

impl Crowd<'_> {
    /// Returns how many calls of each caller fill a slice. Measured twice, because the first calls are mostly
    /// warm-up.
    fn calibrate(&self, slice: Duration) -> u64 {
        let fill = |calls: u64| {
            let took = (self.run)(calls).max(Duration::from_micros(1));
            (slice.as_nanos() * u128::from(calls) / took.as_nanos()).clamp(50, 2_000_000) as u64
        };
        fill(fill(500))
    }
}

/// This many threads on one shared value.
pub(crate) fn threads<'a, T>(name: &str, threads: usize, it: T, call: fn(&T, u64) -> bool) -> Crowd<'a>
where
    T: Send + Sync + 'static,
{
    let it = Arc::new(it);
    crowd(name, threads, move || {
        let it = Arc::clone(&it);
        Box::new(move |calls| {
            for n in 0..calls {
                assert!(call(&it, black_box(n)), "every call goes as it must");
            }
        })
    })
}

/// This many threads, each with its own clone of a stack.
pub(crate) fn clones<'a, S>(name: &str, threads: usize, service: S) -> Crowd<'a>
where
    S: Service<u64> + Clone + Send + 'static,
{
    crowd(name, threads, move || {
        let service = service.clone();
        // Moved to the stack of its thread: boxes that are made one after the other share a cache line.
        Box::new(move |calls| drive(&mut service.clone(), calls))
    })
}

fn crowd<'a>(name: &str, threads: usize, worker: impl Fn() -> Worker + 'a) -> Crowd<'a> {
    let run = move |calls| together((0..threads).map(|_| worker()).collect(), calls);
    Crowd { name: name.into(), run: Box::new(run) }
}

/// All threads start together; the time is from the start of the first to the end of the last.
fn together(workers: Vec<Worker>, calls: u64) -> Duration {
    let threads = workers.len();
    let here = &AtomicUsize::new(0);
    let spans = thread::scope(|scope| {
        let start = |worker| scope.spawn(move || span(worker, calls, here, threads));
        let running: Vec<_> = workers.into_iter().map(start).collect();
        running.into_iter().map(|thread| thread.join().expect("no worker panics")).collect::<Vec<_>>()
    });
    let start = spans.iter().map(|span| span.0).min().expect("there is a thread");
    let end = spans.iter().map(|span| span.1).max().expect("there is a thread");
    end - start
}

fn span(mut worker: Worker, calls: u64, here: &AtomicUsize, threads: usize) -> (Instant, Instant) {
    here.fetch_add(1, Ordering::AcqRel);
    // A sleeping thread is woken late; a thread that yields starts with the others.
    while here.load(Ordering::Acquire) < threads {
        thread::yield_now();
    }
    let start = now();
    worker(calls);
    (start, now())
}
