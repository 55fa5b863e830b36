//! Other ways to use a breaker: owned clients, wrapped functions, the macro, classifiers.

use std::time::Duration;

use halfopen::{
    Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError, CircuitProtected, Classify, Outcome,
    Protected, State, Trip, errors, failure_if, with_circuit_breaker,
};

#[tokio::test]
async fn a_protected_client_calls_through_its_breaker() {
    let users = Protected::new(Client, breaker());
    assert_eq!(users.call(|users| users.get(2)).await.unwrap(), 4);
    assert_eq!(users.call(|users| async move { users.get(3).await }).await.unwrap(), 6);
    users.call(Client::fail).await.unwrap_err();
    let totals = users.breaker().unwrap().snapshot().totals;
    assert_eq!((totals.successes, totals.failures), (2, 1));

    users.breaker().unwrap().force_open();
    assert!(users.call(|users| users.get(2)).await.unwrap_err().is_rejected());
    assert!(!users.is_healthy());
    assert_eq!(users.state(), State::ForcedOpen);
}

#[tokio::test]
async fn a_client_without_a_breaker_is_called_all_the_same() {
    let users = Protected::new(Client, None);
    assert_eq!(users.call(|users| users.get(2)).await.unwrap(), 4);
    assert!(matches!(users.call(Client::fail).await, Err(CircuitBreakerError::Inner("down"))));
    assert_eq!(users.call_blocking(|_| Ok::<_, ()>(1)).unwrap(), 1);
    assert!(users.is_healthy() && users.breaker().is_none());
    assert_eq!(users.state(), State::Disabled);
}

#[tokio::test]
async fn a_type_that_owns_a_breaker_can_say_so() {
    struct Alerts(CircuitBreaker);
    impl CircuitProtected for Alerts {
        fn circuit_breaker(&self) -> &CircuitBreaker {
            &self.0
        }
    }
    let alerts = Alerts(breaker());
    assert_eq!(alerts.execute_protected(|| Client.get(1)).await.unwrap(), 2);
    assert!(alerts.is_healthy());
    alerts.0.trip();
    assert_eq!(alerts.circuit_state(), State::Open);
}

#[tokio::test]
async fn a_wrapped_function_can_be_called_from_tasks() {
    let breaker = breaker();
    let double = breaker.wrap(|n: u32| async move { Client.get(n).await });
    assert_eq!(double.call(1).await.unwrap(), 2);
    assert_eq!(double.call(2).await.unwrap(), 4);
    let task = tokio::spawn(async move { double.call(3).await });
    assert_eq!(task.await.unwrap().unwrap(), 6);
    assert_eq!(breaker.snapshot().totals.successes, 3);
}

#[tokio::test]
async fn a_wrapped_function_takes_a_tuple() {
    let add = breaker().wrap(|(a, b): (u32, u32)| async move { Ok::<_, ()>(a + b) });
    assert_eq!(add.call((1, 2)).await.unwrap(), 3);
}

#[tokio::test]
async fn the_macro_takes_a_breaker_or_a_borrow() {
    let (breaker, moved) = (breaker(), String::from("gone"));
    assert_eq!(with_circuit_breaker!(breaker, Client.get(4).await).unwrap(), 8);
    let borrowed = &breaker;
    let length = with_circuit_breaker!(borrowed, {
        let inner: Result<u32, &str> = Client.get(u32::try_from(moved.len()).unwrap()).await;
        let value = inner?;
        Ok::<_, &str>((value, moved))
    });
    assert_eq!(length.unwrap().0, 8);
    breaker.force_open();
    assert!(with_circuit_breaker!(breaker, Client.get(4).await).is_err());
}

#[test]
fn a_rejection_further_in_is_ignored_by_errors() {
    let inner = breaker();
    inner.force_open();
    let rejected = inner.try_acquire().unwrap_err();
    let nested: Result<(), _> = Err(std::io::Error::other(rejected));
    assert_eq!(errors().classify(&nested), Outcome::Ignored);
    assert_eq!(errors().classify(&Err::<(), _>(std::io::Error::other("down"))), Outcome::Failure);
    assert_eq!(errors().classify(&Ok::<_, std::io::Error>(())), Outcome::Success);
}

#[test]
fn failure_if_takes_every_other_error_for_an_answer() {
    let classify = failure_if(|status: &u16| *status >= 500);
    assert_eq!(classify.classify(&Err::<(), _>(503)), Outcome::Failure);
    assert_eq!(classify.classify(&Err::<(), _>(404)), Outcome::Success);
    assert_eq!(classify.classify(&Ok(())), Outcome::Success);
}

#[test]
fn a_throttled_call_is_a_failure_to_every_rule() {
    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(2))
        .open_duration(Duration::from_secs(1))
        .backoff(Backoff::none())
        .build()
        .unwrap();
    let breaker = CircuitBreaker::new("search", config);
    breaker.try_acquire().unwrap().record(Outcome::Throttled);
    breaker.call_blocking_with(|| Err::<(), _>(429), &Throttles).unwrap_err();

    let snapshot = breaker.snapshot();
    assert_eq!(snapshot.state, State::Open);
    assert_eq!((snapshot.totals.failures, snapshot.totals.throttled), (2, 2));
    assert_eq!(snapshot.hint, Some(Duration::from_secs(30)), "the hint of a throttled call is one");
}

#[test]
fn a_throttled_call_of_an_earlier_visit_is_late_alone() {
    let breaker = breaker();
    let permit = breaker.try_acquire_owned().unwrap();
    breaker.reset();
    permit.record(Outcome::Throttled);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.late, totals.throttled), (1, 0));
}

struct Client;

impl Client {
    async fn get(&self, n: u32) -> Result<u32, &'static str> {
        Ok(2 * n)
    }

    async fn fail(&self) -> Result<u32, &'static str> {
        Err("down")
    }
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder("users").build()
}

struct Throttles;

impl Classify<(), u16> for Throttles {
    fn classify(&self, _: &Result<(), u16>) -> Outcome {
        Outcome::Throttled
    }

    fn retry_after(&self, _: &Result<(), u16>) -> Option<Duration> {
        Some(Duration::from_secs(30))
    }
}
