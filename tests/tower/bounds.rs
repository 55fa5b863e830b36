//! The bounds that the layer requires of the inner service, and those that it preserves.

use std::cell::Cell;
use std::future::{Ready, pending, ready};
use std::marker::PhantomData;
use std::rc::Rc;
use std::task::{Context, Poll};

use halfopen::{CircuitBreakerError, Outcome, OwnedPermit};
use halfopen_tower::{CircuitBreakerLayer, CircuitBreakerService};
use tower::{Layer, Service, service_fn};

use crate::world::{World, finish, poll};
use test_support::service::Inner;

/// Not `Clone`, `Send`, `Sync` or `'static`, and neither are its response and its error.
struct Borrowing<'a> {
    calls: &'a Cell<u32>,
    _not_send: Rc<()>,
}

struct Borrowed<'a>(&'a Cell<u32>);

impl<'a> Service<u32> for Borrowing<'a> {
    type Response = Borrowed<'a>;
    type Error = Borrowed<'a>;
    type Future = Ready<Result<Borrowed<'a>, Borrowed<'a>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Borrowed<'a>>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, add: u32) -> Self::Future {
        self.calls.set(self.calls.get() + add);
        ready(if add == 0 { Err(Borrowed(self.calls)) } else { Ok(Borrowed(self.calls)) })
    }
}

#[test]
fn an_inner_service_needs_no_further_traits() {
    let world = World::new();
    let calls = Cell::new(0);
    let layer = CircuitBreakerLayer::new(world.breaker.clone())
        .typed_errors()
        .classify_fn(|result| if result.is_ok() { Outcome::Success } else { Outcome::Failure });
    let mut service = layer.layer(Borrowing { calls: &calls, _not_send: Rc::new(()) });

    assert!(finish(service.call(2)).is_ok_and(|Borrowed(calls)| calls.get() == 2));
    assert!(matches!(finish(service.call(0)), Err(CircuitBreakerError::Inner(Borrowed(_)))));

    assert_eq!((world.totals().successes, world.totals().failures), (1, 1));
}

#[test]
fn a_future_that_is_not_send_is_polled_where_it_is() {
    let world = World::new();
    let shared = Rc::new(Cell::new(0));
    let seen = Rc::clone(&shared);
    let mut service = CircuitBreakerLayer::new(world.breaker).layer(service_fn(move |n: u32| {
        let seen = Rc::clone(&seen);
        async move {
            seen.set(n);
            Ok::<_, std::io::Error>(())
        }
    }));

    finish(service.call(3)).unwrap();

    assert_eq!(shared.get(), 3);
}

#[test]
fn what_the_inner_service_is_the_outer_one_stays() {
    fn passes_threads<T: Send + Sync + 'static>(_: &T) {}

    let world = World::new();
    let mut service = CircuitBreakerService::new(world.journal.service(), world.breaker.clone());
    passes_threads(&service);
    passes_threads(&CircuitBreakerLayer::new(world.breaker.clone()));
    let waiting = CircuitBreakerLayer::new(world.breaker.clone()).wait_while_open();
    passes_threads(&waiting.layer(world.journal.service()));

    assert!(crate::world::poll_ready(&mut service).is_ready());
    passes_threads(&service.call(test_support::service::Do::Hang));
}

#[test]
fn a_future_adds_a_permit_and_nothing_else() {
    let world = World::new();
    let mut service = CircuitBreakerLayer::new(world.breaker)
        .layer(service_fn(|(): ()| pending::<Result<[u8; 0], std::io::Error>>()));
    let mut future = Box::pin(service.call(()));
    assert!(poll(future.as_mut()).is_pending());

    // The inner future is empty; the response to a rejection shares its space with the permit.
    assert!(size_of_val(&*future) <= size_of::<OwnedPermit>() + 2 * size_of::<usize>());
}

#[test]
fn the_inner_service_can_be_reached_and_had_back() {
    let world = World::new();
    let mut service = CircuitBreakerService::new(world.journal.service(), world.breaker);

    let _: &Inner = service.get_ref();
    let _: &mut Inner = service.get_mut();
    let _: Inner = service.into_inner();
}

#[test]
fn the_debug_form_names_the_breaker() {
    let world = World::new();
    let layer = CircuitBreakerLayer::new(world.breaker);

    assert!(format!("{layer:?}").contains("inner"));
    assert!(format!("{:?}", layer.layer(PhantomData::<u8>)).contains("inner"));
}
