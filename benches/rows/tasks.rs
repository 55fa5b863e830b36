use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;

use tokio::runtime::Handle;
use tower_service::Service;

use crate::configs;
use crate::harness::now;
use crate::limit::Limit;
use crate::peers;
use crate::rates::{Crowd, rates};
use crate::services::Inner;
use crate::table::Group;

const TASKS: u64 = 8;

/// Eight tokio tasks on one breaker, each with its own clone of a tower stack, yielding every 32 calls.
pub(crate) fn group(runtime: &Handle) -> Group {
    let mut cases =
        vec![case(runtime, "bare", Inner), case(runtime, "limit", Limit::<Inner, false>::default())];
    for (name, config) in configs::ours() {
        cases.push(case(runtime, name, configs::stack(&config)));
    }
    cases.push(case(runtime, "breaker 2, count 100", peers::breaker_two(Inner)));
    cases.push(case(runtime, "seatbelt 0.11, time", peers::seatbelt(Inner)));
    cases.push(case(runtime, "tower-resilience 0.14, count 100", peers::resilience(Inner)));
    rates("One breaker, 8 tokio tasks on 2 workers, tower", TASKS, &cases, "bare", "limit")
}

fn case<'a, S>(runtime: &'a Handle, name: &'a str, service: S) -> Crowd<'a>
where
    S: Service<u64, Response = u64, Error: Send, Future: Send> + Clone + Send + 'static,
{
    let run = move |calls| {
        runtime.block_on(async {
            let start = now();
            let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(calling(service.clone(), calls))).collect();
            for task in tasks {
                task.await.expect("no task panics");
            }
            start.elapsed()
        })
    };
    Crowd { name: name.into(), run: Box::new(run) }
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
