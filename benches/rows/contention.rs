use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use failsafe::CircuitBreaker as _;
use tower_service::Service;

use crate::configs;
use crate::harness::{median, now};
use crate::limit::Limit;
use crate::peers::{self, Floor, MutexRing, Striped};
use crate::rows::closed_direct::answer;
use crate::services::{Failed, Inner, drive};
use crate::table::{Group, Row};

/// What one thread does to the breaker that all share.
type Worker = Box<dyn FnMut(u64) + Send>;

struct Shared {
    name: String,
    worker: Box<dyn Fn() -> Worker>,
}

const ROUNDS: usize = 15;
const SLICE: Duration = Duration::from_millis(8);

/// Threads on one breaker, all calls successful and direct.
pub(crate) fn direct(threads: usize) -> Group {
    let title = match threads {
        1 => "One breaker, 1 thread, direct",
        2 => "One breaker, 2 threads, direct",
        4 => "One breaker, 4 threads, direct",
        _ => "One breaker, 8 threads, direct",
    };
    rates(title, threads, &direct_cases())
}

/// Threads on one breaker, each with its own clone of a tower stack.
pub(crate) fn tower(threads: usize) -> Group {
    let title = match threads {
        1 => "One breaker, 1 thread, tower",
        _ => "One breaker, 2 threads, tower",
    };
    rates(title, threads, &tower_cases())
}

fn direct_cases() -> Vec<Shared> {
    let mut cases = vec![
        shared("load + striped fetch_add", Striped::default(), |it, n| it.call(|| answer(n)).is_ok()),
        shared("load + fetch_add", Floor::default(), |it, n| it.call(|| answer(n)).is_ok()),
    ];
    for (name, config) in configs::ours() {
        let breaker = configs::warm(&config);
        cases.push(shared(name, breaker, |it, n| it.call_blocking(|| answer(n)).is_ok()));
    }
    let mixed = configs::warm(&configs::count());
    cases.push(shared("fusebox, count 100, 1 % fail", mixed, |it, n| {
        it.call_blocking(|| if n % 100 == 7 { Err(Failed) } else { answer(n) }).is_ok() || n % 100 == 7
    }));
    cases.extend([
        shared("recloser 1.4, count 100", peers::recloser(), |it, n| it.call(|| answer(n)).is_ok()),
        shared("failsafe 1.3, consecutive 5", peers::failsafe_consecutive(), |it, n| {
            it.call(|| answer(n)).is_ok()
        }),
        shared("mutex ring", MutexRing::new(), |it, n| it.call(|| answer(n)).is_some()),
    ]);
    cases
}

fn shared<T: Send + Sync + 'static>(name: &str, it: T, call: fn(&T, u64) -> bool) -> Shared {
    let it = Arc::new(it);
    let worker = move || -> Worker {
        let it = Arc::clone(&it);
        Box::new(move |calls| {
            for n in 0..calls {
                assert!(call(&it, black_box(n)), "a healthy call passes");
            }
        })
    };
    Shared { name: name.into(), worker: Box::new(worker) }
}

fn tower_cases() -> Vec<Shared> {
    let mut cases = vec![cloned("bare", Inner), cloned("limit", Limit::<Inner, false>::default())];
    for (name, config) in configs::ours() {
        cases.push(cloned(name, configs::stack(&config)));
    }
    cases.extend([
        cloned("breaker 2, count 100", peers::breaker_two(Inner)),
        cloned("tower-resilience 0.14, count 100", peers::resilience(Inner)),
    ]);
    cases
}

fn cloned<S: Service<u64> + Clone + Send + 'static>(name: &str, service: S) -> Shared {
    let worker = move || -> Worker {
        let mut service = service.clone();
        Box::new(move |calls| drive(&mut service, calls))
    };
    Shared { name: name.into(), worker: Box::new(worker) }
}

/// Millions of calls a second, all threads together, in interleaved rounds.
fn rates(title: &'static str, threads: usize, cases: &[Shared]) -> Group {
    let calls: Vec<u64> = cases.iter().map(|case| case.calibrate(threads)).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for round in 0..ROUNDS {
        for place in 0..cases.len() {
            let place = (place + round) % cases.len();
            let took = case_round(&cases[place], threads, calls[place]);
            rounds[place].push(threads as f64 * calls[place] as f64 / took.as_secs_f64() / 1e6);
        }
    }
    let base = rounds[0].clone();
    let mut group = Group::new(title, "M calls/s").against("the first row");
    for (case, rounds) in cases.iter().zip(rounds) {
        let ratios = rounds.iter().zip(&base).map(|(mine, base)| mine / base).collect();
        group.push(Row {
            best: Some(rounds.iter().copied().fold(0.0, f64::max)),
            to_base: Some(median(ratios)),
            ..Row::new(&*case.name, median(rounds), "")
        });
    }
    group
}

impl Shared {
    fn calibrate(&self, threads: usize) -> u64 {
        let took = case_round(self, threads, 1_000).max(Duration::from_micros(1));
        (SLICE.as_nanos() * 1_000 / took.as_nanos()).clamp(200, 2_000_000) as u64
    }
}

/// All threads begin together; the time is that from the first one's beginning to the last one's end.
fn case_round(case: &Shared, threads: usize, calls: u64) -> Duration {
    let barrier = Barrier::new(threads);
    let spans = thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let (mut worker, barrier) = ((case.worker)(), &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let start = now();
                    worker(calls);
                    (start, now())
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("no worker panics")).collect::<Vec<_>>()
    });
    let start = spans.iter().map(|span| span.0).min().expect("there is a thread");
    let end = spans.iter().map(|span| span.1).max().expect("there is a thread");
    end - start
}
