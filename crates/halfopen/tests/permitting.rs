//! Waiting until calls are permitted: the events that wake a task, and its registrations.
#![cfg(feature = "test-util")]

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use halfopen::{CircuitBreaker, Clock, ManualClock, State};

const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> (CircuitBreaker, ManualClock) {
    let (clock, hands) = Clock::manual();
    (CircuitBreaker::builder("queue").clock(clock).build(), hands)
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A task that is polled only by the test.
struct Task(Arc<Wakes>);

impl Task {
    fn new() -> Task {
        Task(Arc::default())
    }

    fn is_ready(&self, future: &mut Pin<&mut impl Future<Output = ()>>) -> bool {
        future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.0)))).is_ready()
    }

    fn wakes(&self) -> usize {
        self.0.0.swap(0, Ordering::SeqCst)
    }
}

#[test]
fn where_calls_pass_nothing_is_waited_for() {
    for state in [State::Closed, State::HalfOpen, State::Disabled, State::MetricsOnly] {
        let breaker = CircuitBreaker::builder("queue").start_in(state).build();
        assert!(Task::new().is_ready(&mut pin!(breaker.permitting())), "{state:?}");
    }
}

#[test]
fn the_end_of_the_wait_wakes_the_task() {
    let (breaker, hands) = breaker();
    breaker.open_for(SECOND);
    let (task, mut waits) = (Task::new(), pin!(breaker.permitting()));
    assert!(!task.is_ready(&mut waits));

    hands.advance(SECOND / 2);
    assert_eq!(task.wakes(), 1, "the clock was moved");
    assert!(!task.is_ready(&mut waits));
    hands.advance(SECOND / 2);
    assert_eq!(task.wakes(), 1);
    assert!(task.is_ready(&mut waits));
}

#[test]
fn an_operator_wakes_the_task() {
    let controls: [fn(&CircuitBreaker); 4] = [
        CircuitBreaker::force_closed,
        CircuitBreaker::reset,
        CircuitBreaker::disable,
        CircuitBreaker::end_wait,
    ];
    for (place, control) in controls.into_iter().enumerate() {
        let (breaker, _hands) = breaker();
        breaker.open_for(SECOND);
        let (task, mut waits) = (Task::new(), pin!(breaker.permitting()));
        assert!(!task.is_ready(&mut waits));
        control(&breaker);
        assert!(task.wakes() > 0, "control {place}");
        assert!(task.is_ready(&mut waits), "control {place}");
    }
}

#[test]
fn a_probes_slot_given_back_wakes_the_task() {
    let (breaker, hands) = breaker();
    breaker.open_for(SECOND);
    hands.advance_to_probe(&breaker);
    let probe = breaker.try_acquire().unwrap();
    let (task, mut waits) = (Task::new(), pin!(breaker.permitting()));
    assert!(!task.is_ready(&mut waits));
    drop(probe);
    assert!(task.wakes() > 0);
    assert!(task.is_ready(&mut waits));
}

#[test]
fn an_overdue_probe_wakes_the_task() {
    let (breaker, hands) = breaker();
    breaker.open_for(SECOND);
    hands.advance_to_probe(&breaker);
    let _hangs = breaker.try_acquire().unwrap();
    let (task, mut waits) = (Task::new(), pin!(breaker.permitting()));
    assert!(!task.is_ready(&mut waits));
    hands.advance(60 * SECOND); // the probe's timeout: open again
    assert!(task.wakes() > 0);
    assert!(!task.is_ready(&mut waits));
    hands.advance(3 * SECOND); // the wait, jitter included
    assert!(task.is_ready(&mut waits));
}

#[test]
fn rejections_and_other_calls_wake_nobody() {
    let (breaker, _hands) = breaker();
    breaker.force_open();
    let (task, mut waits) = (Task::new(), pin!(breaker.permitting()));
    assert!(!task.is_ready(&mut waits));
    for _ in 0..1_000 {
        breaker.try_acquire().unwrap_err();
    }
    assert_eq!(task.wakes(), 0);
}

#[test]
fn a_task_that_is_dropped_is_woken_no_more() {
    let (breaker, hands) = breaker();
    breaker.open_for(SECOND);
    let task = Task::new();
    {
        let mut waits = pin!(breaker.permitting());
        assert!(!task.is_ready(&mut waits));
    }
    hands.advance(SECOND);
    breaker.reset();
    assert_eq!(task.wakes(), 0);
    assert_eq!(Arc::strong_count(&task.0), 1, "no waker is left anywhere");
}

#[tokio::test]
async fn by_the_clock_of_the_system_a_timer_wakes_all_tasks() {
    let breakers: Vec<_> = (0..50_u64)
        .map(|place| {
            let breaker = CircuitBreaker::builder("queue").build();
            breaker.open_for(Duration::from_millis(1 + place % 7));
            breaker
        })
        .collect();
    for breaker in &breakers {
        breaker.permitting().await;
        assert!(breaker.is_half_open());
    }
}

#[tokio::test]
async fn by_a_clock_of_ones_own_the_task_wakes_too() {
    let time = Arc::new(AtomicUsize::new(0));
    let elapsed = Arc::clone(&time);
    let clock = Clock::from_fn(move || Duration::from_millis(elapsed.fetch_add(1, Ordering::SeqCst) as u64));
    let breaker = CircuitBreaker::builder("queue").clock(clock).build();
    breaker.open_for(Duration::from_millis(20));
    breaker.permitting().await;
    assert!(time.load(Ordering::SeqCst) < 1_000, "asked {time:?} times for twenty steps");
}
