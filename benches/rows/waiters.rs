use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Waker};

use halfopen_tower::CircuitBreakerLayer;
use tower_layer::Layer;
use tower_service::Service;

use crate::configs;
use crate::harness::{median, timed};
use crate::services::Inner;
use crate::table::{Group, Row};

const WAITERS: usize = 16_000;
const ROUNDS: usize = 5;

/// Tasks that wait for an open breaker, and leave without having been admitted.
pub(crate) fn group() -> Group {
    let breaker = configs::breaker(&configs::count());
    breaker.open_for(configs::LONG);
    let layer = CircuitBreakerLayer::new(breaker.clone()).wait_while_open();
    let service = layer.layer(Inner);
    let ready = rounds(|| {
        let mut waiting: Vec<_> = (0..WAITERS).map(|_| service.clone()).collect();
        for service in &mut waiting {
            let mut context = Context::from_waker(Waker::noop());
            assert!(service.poll_ready(&mut context).is_pending(), "the breaker is open");
        }
        drop(black_box(waiting));
    });
    let permitting = rounds(|| {
        let mut waiting: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::with_capacity(WAITERS);
        for _ in 0..WAITERS {
            let breaker = breaker.clone();
            waiting.push(Box::pin(async move { breaker.permitting().await }));
        }
        for waiter in &mut waiting {
            let mut context = Context::from_waker(Waker::noop());
            assert!(waiter.as_mut().poll(&mut context).is_pending(), "the breaker is open");
        }
        drop(black_box(waiting));
    });
    let mut group = Group::new("16,000 waiters come and go", "ms");
    group.push(Row::new("halfopen-tower, wait_while_open", ready, ""));
    group.push(Row::new("halfopen, permitting", permitting, ""));
    group
}

fn rounds(mut work: impl FnMut()) -> f64 {
    work();
    median((0..ROUNDS).map(|_| timed(&mut work).as_secs_f64() * 1e3).collect())
}
