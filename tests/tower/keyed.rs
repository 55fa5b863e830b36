//! One breaker per key: the key is known in `call`, so the inner service is made ready first.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Duration;

use halfopen::{CircuitBreakerConfig, CircuitBreakerError, Clock, Outcome, Registry, State, Trip};
use halfopen_tower::CircuitBreakerLayer;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::modes::{Mode, PerKey};
use crate::world::{World, call, finish, poll_ready};
use test_support::service::{Do, Readiness};

struct ToHost(&'static str);

fn registry() -> Registry {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build().unwrap();
    Registry::builder().default_config(config).build()
}

#[test]
fn one_key_opens_and_the_others_stay_closed() {
    let registry = registry();
    let layer = CircuitBreakerLayer::keyed(registry.clone(), |to: &ToHost| Cow::Borrowed(to.0));
    let mut service = layer.layer(service_fn(|to: ToHost| async move {
        if to.0 == "down" { Err(std::io::Error::other("down")) } else { Ok(()) }
    }));

    for host in ["down", "up", "down", "up"] {
        let ready = finish(service.ready()).unwrap();
        assert_eq!(finish(ready.call(ToHost(host))).is_ok(), host == "up");
    }

    assert_eq!(registry.get("down").unwrap().state(), State::Open);
    assert_eq!(registry.get("down").unwrap().snapshot().totals.rejected, 1);
    assert_eq!(registry.get("up").unwrap().snapshot().totals.successes, 2);
    assert_eq!(registry.len(), 2);
}

#[test]
fn a_key_may_be_made_of_several_parts() {
    let registry = registry();
    let layer = CircuitBreakerLayer::keyed(registry.clone(), |(host, port): &(String, u16)| {
        Cow::Owned(format!("{host}:{port}"))
    });
    let service = layer.layer(service_fn(|_: (String, u16)| async { Ok::<_, Infallible>(()) }));

    finish(service.oneshot(("localhost".to_owned(), 80))).unwrap();

    assert!(registry.get("localhost:80").is_some());
}

#[test]
fn services_of_a_layer_share_its_breakers() {
    let layer = CircuitBreakerLayer::keyed(registry(), |_: &()| Cow::Borrowed("one"));
    let failing = layer.layer(service_fn(|()| async { Err::<(), _>(std::io::Error::other("down")) }));
    assert!(finish(failing.clone().oneshot(())).is_err());

    let fine = layer.clone().layer(service_fn(|()| async { Ok::<_, std::io::Error>(()) }));

    let error = finish(fine.oneshot(())).unwrap_err();
    assert!(halfopen::rejection(&*error).is_some());
}

#[test]
fn a_rejection_leaves_the_inner_service_ready() {
    let world = World::new();
    let mut service = PerKey::service(&world);
    world.breaker.trip();
    assert!(call(&mut service, Do::Succeed).is_err());
    assert_eq!((world.journal.polls(), world.journal.reserved(), world.journal.calls()), (1, 1, 0));

    world.breaker.reset();
    world.journal.become_(Readiness::Stuck);
    assert!(call(&mut service, Do::Succeed).is_ok());
    assert_eq!(world.journal.reserved(), 0);
}

#[test]
fn an_error_of_poll_ready_is_nobodys_failure() {
    let world = World::new();
    world.journal.become_(Readiness::Broken);

    assert!(poll_ready(&mut PerKey::service(&world)).is_ready());

    assert_eq!(world.totals().calls(), 0);
}

#[test]
fn a_removed_breaker_is_not_asked_again() {
    let registry = registry();
    let layer = CircuitBreakerLayer::keyed(registry.clone(), |to: &ToHost| Cow::Borrowed(to.0));
    let mut service = layer.layer(service_fn(|_: ToHost| async { Ok::<_, Infallible>(()) }));
    assert!(finish(service.call(ToHost("a"))).is_ok());

    registry.remove("a").unwrap();
    assert!(finish(service.call(ToHost("a"))).is_ok());
    assert_eq!(registry.get("a").unwrap().snapshot().totals.successes, 1, "of a new breaker");

    registry.remove("a").unwrap();
    registry.get_or_create("a").force_open();
    assert!(finish(service.call(ToHost("a"))).is_err());
}

#[test]
fn a_registry_that_evicts_sees_each_call() {
    let (clock, hands) = Clock::manual();
    let (second, registry) = (Duration::from_secs(1), Registry::builder());
    let registry = registry.idle_after(2 * second).clock(clock).build();
    let layer = CircuitBreakerLayer::keyed(registry.clone(), |to: &ToHost| Cow::Borrowed(to.0));
    let mut service = layer.layer(service_fn(|_: ToHost| async { Ok::<_, Infallible>(()) }));
    for _ in 0..5 {
        assert!(finish(service.call(ToHost("a"))).is_ok());
        hands.advance(second);
        assert_eq!(registry.evict_idle(), 0, "it was used a second ago");
    }
    hands.advance(100 * second);
    assert_eq!(registry.evict_idle(), 1, "the service holds no handle");
}

#[test]
fn it_goes_with_every_kind_of_error_and_classifier() {
    let keyed = || CircuitBreakerLayer::keyed(registry(), |_: &u8| Cow::Borrowed("key"));
    let inner = || service_fn(|code: u8| async move { if code == 0 { Ok(code) } else { Err(code) } });

    let mut typed = keyed().typed_errors().layer(inner());
    assert!(matches!(finish(typed.call(5)), Err(CircuitBreakerError::Inner(5))));
    assert!(matches!(finish(typed.call(5)), Err(CircuitBreakerError::Rejected(_))));

    let mut canned = keyed().on_rejected(|_, code| Ok(code + 100)).layer(inner());
    assert_eq!(finish(canned.call(5)), Err(5));
    assert_eq!(finish(canned.call(5)), Ok(105));

    let mut lenient = keyed().typed_errors().classify_fn(|_| Outcome::Success).layer(inner());
    for _ in 0..3 {
        assert!(matches!(finish(lenient.call(5)), Err(CircuitBreakerError::Inner(5))));
    }
}
