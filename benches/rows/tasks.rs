use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::Handle;
use tower_service::Service;

use crate::configs;
use crate::harness::{median, now};
use crate::limit::Limit;
use crate::peers;
use crate::services::Inner;
use crate::table::{Group, Row};

const TASKS: u64 = 8;
const ROUNDS: usize = 15;
const SLICE: Duration = Duration::from_millis(8);

struct Case<'a> {
    name: &'a str,
    round: Box<dyn Fn(u64) -> Duration + 'a>,
}

/// Eight tokio tasks on one breaker, each with its own clone of a tower stack, giving way every 32 calls.
pub(crate) fn group(runtime: &Handle) -> Group {
    let mut cases =
        vec![case(runtime, "bare", Inner), case(runtime, "limit", Limit::<Inner, false>::default())];
    for (name, config) in configs::ours() {
        cases.push(case(runtime, name, configs::stack(&config)));
    }
    cases.push(case(runtime, "breaker 2, count 100", peers::breaker_two(Inner)));
    cases.push(case(runtime, "tower-resilience 0.14, count 100", peers::resilience(Inner)));
    rates(&cases)
}

fn case<'a, S>(runtime: &'a Handle, name: &'a str, service: S) -> Case<'a>
where
    S: Service<u64, Response = u64, Error: Send, Future: Send> + Clone + Send + 'static,
{
    let round = move |calls| {
        runtime.block_on(async {
            let start = now();
            let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(calling(service.clone(), calls))).collect();
            for task in tasks {
                task.await.expect("no task panics");
            }
            start.elapsed()
        })
    };
    Case { name, round: Box::new(round) }
}

async fn calling<S: Service<u64, Response = u64>>(mut service: S, calls: u64) {
    for n in 0..calls {
        if poll_fn(|cx| service.poll_ready(cx)).await.is_ok() {
            let answer = pin!(service.call(black_box(n))).await;
            assert!(black_box(answer).is_ok(), "a healthy call passes");
        }
        if n % 32 == 31 {
            tokio::task::yield_now().await;
        }
    }
}

fn rates(cases: &[Case<'_>]) -> Group {
    let calls: Vec<u64> = cases.iter().map(|case| calibrate(case)).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for round in 0..ROUNDS {
        for place in 0..cases.len() {
            let place = (place + round) % cases.len();
            let took = (cases[place].round)(calls[place]);
            rounds[place].push((TASKS * calls[place]) as f64 / took.as_secs_f64() / 1e6);
        }
    }
    let limit = rounds[1].clone();
    let mut group =
        Group::new("One breaker, 8 tokio tasks on 2 workers, tower", "M calls/s").against("limit");
    for (case, rounds) in cases.iter().zip(rounds) {
        let ratios = rounds.iter().zip(&limit).map(|(mine, limit)| mine / limit).collect();
        group.push(Row {
            best: Some(rounds.iter().copied().fold(0.0, f64::max)),
            to_base: Some(median(ratios)),
            ..Row::new(case.name, median(rounds), "")
        });
    }
    group
}

fn calibrate(case: &Case<'_>) -> u64 {
    let took = (case.round)(500).max(Duration::from_micros(1));
    (SLICE.as_nanos() * 500 / took.as_nanos()).clamp(50, 1_000_000) as u64
}
