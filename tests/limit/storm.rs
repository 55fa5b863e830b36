//! Waiters that arrive, leave and are admitted on several threads while the limits change concurrently.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use halfopen::Registry;
use halfopen_limit::{Bulkhead, BulkheadConfig, KeyedRateLimiter, ProtectionConfig, Protections, Quota};
use tokio::task::yield_now;

const TASKS: u32 = 8;
const ROUNDS: u32 = 400;

fn slots(calls: u32) -> BulkheadConfig {
    BulkheadConfig::builder().max_concurrent_calls(calls).max_waiting_calls(TASKS).build().unwrap()
}

/// Polls until the future is ready, or until the task has yielded this many times.
async fn impatiently<T>(patience: u32, waits: impl Future<Output = T>) -> Option<T> {
    let leaves = async {
        for _ in 0..patience {
            yield_now().await;
        }
    };
    tokio::select! { biased; done = waits => Some(done), () = leaves => None }
}

async fn all<F: Future<Output = ()> + Send + 'static>(task: impl Fn(u32) -> F) {
    let mut running = tokio::task::JoinSet::new();
    (0..TASKS).for_each(|number| drop(running.spawn(task(number))));
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_and_cancelled_waiters_lose_no_slot() {
    let bulkhead = Bulkhead::new("storm", slots(3));
    let inside = Arc::new(AtomicU32::new(0));
    let shared = bulkhead.clone();
    all(move |number| {
        let (bulkhead, inside) = (shared.clone(), Arc::clone(&inside));
        async move {
            for round in 0..ROUNDS {
                if number == 0 {
                    bulkhead.set_config(slots(1 + round % 3));
                }
                if let Some(Ok(permit)) = impatiently((round + number) % 5, bulkhead.acquire()).await {
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < 3, "more calls than any limit had slots");
                    yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            }
        }
    })
    .await;
    assert_eq!((bulkhead.snapshot().in_flight, bulkhead.snapshot().waiting), (0, 0));
    bulkhead.set_config(slots(1));
    assert!(bulkhead.try_acquire().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_and_cancelled_waiters_lose_no_turn() {
    let quota = |calls| Quota::calls(calls).per(Duration::from_millis(1)).burst(2).unwrap();
    let limiter = KeyedRateLimiter::builder("storm", quota(10)).max_wait(Duration::from_secs(60));
    let limiter = limiter.max_keys(2).build().unwrap();
    let shared = limiter.clone();
    all(move |number| {
        let limiter = shared.clone();
        async move {
            for round in 0..ROUNDS {
                match number {
                    0 => limiter.set_quota(quota(10 + round % 3)),
                    1 => limiter.set_quota_for("b", quota(20 + round % 3)),
                    _ => {}
                }
                let key = ["a", "b", "c"][((round + number) % 3) as usize];
                let _ = impatiently((round + number) % 4, limiter.acquire(key)).await;
            }
        }
    })
    .await;
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.waiting, snapshot.rejected), (0, 0));
    assert!(snapshot.keys <= 2);
    limiter.acquire("a").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn protections_survive_a_document_that_never_rests() {
    let config = |round: u32| {
        let pool = ["one", "two"][(round % 2) as usize];
        let limits = ProtectionConfig::new().bulkhead(pool, slots(1 + round % 4));
        if round.is_multiple_of(3) { ProtectionConfig::new() } else { limits }
    };
    let protections = Protections::new(&Registry::new(), move |_| config(1));
    let shared = protections.clone();
    all(move |number| {
        let protections = shared.clone();
        async move {
            for round in 0..ROUNDS {
                if number == 0 {
                    protections.follow(move |_| config(round));
                }
                let protection = protections.get(["a", "b", "c"][((round + number) % 3) as usize]);
                drop(impatiently(round % 4, protection.acquire()).await);
            }
        }
    })
    .await;
    protections.follow(|_| ProtectionConfig::new());
    assert_eq!(protections.limits().snapshot().bulkheads, [], "no pool is left in use");
}
