use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use halfopen::{ManualClock, RejectReason};
use tokio::time;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// One call per second, a burst of two; [`World::advance`] moves both clocks.
struct World {
    limiter: RateLimiter,
    hands: ManualClock,
}

impl World {
    fn new(max_wait: Duration) -> World {
        let (clock, hands) = Clock::manual();
        hands.set(Duration::from_secs(1000));
        let quota = Quota::calls(1).per(SECOND).burst(2).unwrap();
        World { limiter: RateLimiter::builder("tasks", quota).clock(clock).max_wait(max_wait).build(), hands }
    }

    fn used_up(max_wait: Duration) -> World {
        let world = World::new(max_wait);
        world.limiter.try_acquire_many(2).unwrap();
        world
    }

    async fn advance(&self, by: Duration) {
        self.hands.advance(by);
        time::advance(by).await;
    }

    fn retry_after(&self) -> Duration {
        self.limiter.try_acquire().unwrap_err().retry_after().unwrap()
    }
}

fn poll(acquire: Pin<&mut AcquireRate>) -> Poll<Result<(), Rejected>> {
    acquire.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn the_time_to_retry_is_exact() {
    let world = World::used_up(Duration::ZERO);
    assert_eq!(world.retry_after(), SECOND);
    world.advance(SECOND - Duration::from_nanos(1)).await;
    assert_eq!(world.retry_after(), Duration::from_nanos(1));
    world.advance(Duration::from_nanos(1)).await;
    assert!(world.limiter.try_acquire().is_ok());
}

#[test]
fn a_rejection_has_its_reason_and_is_counted() {
    let world = World::used_up(Duration::ZERO);
    let rejected = world.limiter.try_acquire().unwrap_err();
    assert_eq!(rejected.reason(), RejectReason::RateLimited);
    assert_eq!(rejected.to_string(), "rate limit `tasks` is used up; retry in 1s");
    assert_eq!(world.limiter.snapshot().rejected, 1);
}

#[test]
fn more_than_a_burst_is_permitted_at_no_time() {
    let world = World::new(60 * SECOND);
    assert_eq!(world.limiter.try_acquire_many(3).unwrap_err().retry_after(), None);
    let Poll::Ready(Err(rejected)) = poll(pin!(world.limiter.acquire_many(3))) else { panic!("never") };
    assert_eq!(rejected.retry_after(), None);
    assert_eq!(world.limiter.snapshot().available, 2, "a refused call takes nothing");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_succeed_is_refused_immediately() {
    let world = World::used_up(2 * SECOND);
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(world.limiter.acquire())).collect();
    let ends: Vec<_> = waiters.iter_mut().map(|waiter| poll(waiter.as_mut())).collect();
    assert!(ends[0].is_pending() && ends[1].is_pending());
    let Poll::Ready(Err(rejected)) = &ends[2] else { panic!("its turn comes after three seconds") };
    assert_eq!(rejected.retry_after(), Some(3 * SECOND));
    assert_eq!(world.limiter.snapshot().waiting, 2);
}

#[tokio::test(start_paused = true)]
async fn turns_come_in_the_order_of_arrival() {
    let world = World::used_up(10 * SECOND);
    let (mut first, mut second) = (pin!(world.limiter.acquire()), pin!(world.limiter.acquire()));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());

    world.advance(SECOND).await;
    assert!(poll(second.as_mut()).is_pending());
    assert!(world.limiter.try_acquire().is_err(), "nor does a call that does not wait pass");
    assert!(poll(first.as_mut()).is_ready());
    world.advance(SECOND).await;
    assert!(poll(second.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_waiter_delays_no_other() {
    let world = World::used_up(10 * SECOND);
    let (mut stalled, mut second) = (pin!(world.limiter.acquire()), pin!(world.limiter.acquire()));
    assert!(poll(stalled.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    world.advance(2 * SECOND).await;
    assert!(poll(second.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn those_behind_a_cancelled_waiter_move_up() {
    let world = World::used_up(10 * SECOND);
    let mut cancelled = Box::pin(world.limiter.acquire());
    let (mut second, mut third) = (pin!(world.limiter.acquire()), pin!(world.limiter.acquire()));
    assert!(poll(cancelled.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(third.as_mut()).is_pending());

    drop(cancelled);
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(third.as_mut()).is_pending());
    assert_eq!(world.retry_after(), 3 * SECOND, "the end of the queue has moved up too");
    world.advance(SECOND).await;
    assert!(poll(second.as_mut()).is_ready());
    world.advance(SECOND).await;
    assert!(poll(third.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn the_last_waiter_gives_its_calls_back() {
    let world = World::used_up(10 * SECOND);
    let mut waiter = Box::pin(world.limiter.acquire_many(2));
    assert!(poll(waiter.as_mut()).is_pending());
    assert_eq!(world.retry_after(), 3 * SECOND);
    drop(waiter);
    assert_eq!(world.retry_after(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_came_is_used_up_though_cancelled() {
    let world = World::used_up(10 * SECOND);
    let mut waiter = Box::pin(world.limiter.acquire());
    assert!(poll(waiter.as_mut()).is_pending());
    world.advance(SECOND).await;
    drop(waiter);
    assert_eq!(world.retry_after(), SECOND);
    assert_eq!(world.limiter.snapshot().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn waiters_sleep_until_their_turn() {
    let quota = Quota::calls(10).per(SECOND).burst(1).unwrap();
    let limiter = RateLimiter::builder("mail", quota).clock(Clock::manual().0).max_wait(SECOND).build();
    let began = time::Instant::now();
    for _ in 0..5 {
        limiter.acquire().await.unwrap();
    }
    // The manual clock is stopped, so each waits behind all before it: 100 + 200 + 300 + 400 ms.
    assert_eq!(began.elapsed(), SECOND);
}

#[test]
fn a_new_quota_keeps_what_is_used_up() {
    let world = World::used_up(Duration::ZERO);
    let quota = |calls, burst| Quota::calls(calls).per(SECOND).burst(burst).unwrap();
    world.limiter.set_quota(quota(10, 1));
    assert_eq!(world.retry_after(), SECOND / 10, "no longer than the new burst takes to come back");
    world.limiter.set_quota(quota(1, 2));
    assert_eq!(world.limiter.quota(), quota(1, 2));
    assert_eq!(world.limiter.snapshot().available, 1);
}

#[tokio::test(start_paused = true)]
async fn waiters_get_the_turns_of_a_new_quota() {
    let world = World::used_up(10 * SECOND);
    let (mut first, mut second) = (pin!(world.limiter.acquire()), pin!(world.limiter.acquire()));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());

    world.limiter.set_quota(Quota::calls(10).per(SECOND).burst(1).unwrap());
    assert_eq!(world.retry_after(), SECOND * 3 / 10);
    world.advance(SECOND / 10).await;
    assert!(poll(first.as_mut()).is_ready());
    assert!(poll(second.as_mut()).is_pending());
    world.advance(SECOND / 10).await;
    assert!(poll(second.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn waiters_survive_the_slowest_quota_there_is() {
    let quick = Quota::calls(1).per(Duration::from_nanos(100)).burst(u32::MAX).unwrap();
    let (clock, hands) = Clock::manual();
    let limiter = RateLimiter::builder("tasks", quick).clock(clock).max_wait(3600 * SECOND).build();
    limiter.try_acquire_many(u32::MAX).unwrap();
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(limiter.acquire_many(u32::MAX))).collect();
    assert!(waiters.iter_mut().all(|waiter| poll(waiter.as_mut()).is_pending()));

    let slowest = Quota::calls(1).per(Duration::from_secs(140 * 365 * 24 * 3600)).build().unwrap();
    limiter.set_quota(slowest);
    assert!(waiters.iter_mut().all(|waiter| poll(waiter.as_mut()).is_pending()));
    for quota in [quick, slowest] {
        limiter.set_quota(quota);
        // Costs saturate at `u64::MAX`, so turns may come early, but no turn may be lost.
        waiters.retain_mut(|waiter| poll(waiter.as_mut()).is_pending());
    }
    drop(waiters);
    limiter.set_quota(quick);
    hands.advance(3600 * SECOND);
    assert!(limiter.try_acquire().is_ok());
    assert_eq!(limiter.snapshot().waiting, 0);
}

#[test]
fn a_clock_that_steps_back_gives_no_calls() {
    let world = World::used_up(Duration::ZERO);
    world.hands.set(Duration::ZERO);
    assert!(world.limiter.try_acquire().is_err());
}

mod keyed {
    use super::*;

    fn limiter(max_keys: u32) -> (KeyedRateLimiter, ManualClock) {
        let (clock, hands) = Clock::manual();
        let quota = Quota::calls(1).per(SECOND).burst(2).unwrap();
        (KeyedRateLimiter::builder("tools", quota).clock(clock).max_keys(max_keys).build().unwrap(), hands)
    }

    #[test]
    fn each_key_has_its_own_quota() {
        let (limiter, _) = limiter(10);
        limiter.try_acquire_many("a", 2).unwrap();
        let rejected = limiter.try_acquire("a").unwrap_err();
        assert_eq!((rejected.name(), rejected.retry_after()), ("a", Some(SECOND)));
        assert!(limiter.try_acquire("b").is_ok());
        assert_eq!(limiter.snapshot().rejected, 1);
    }

    #[test]
    fn a_key_can_have_another_quota() {
        let (limiter, _) = limiter(10);
        let own = Quota::calls(5).per(SECOND).build().unwrap();
        let limiter = limiter.quota_for("bulk", own);
        assert!(limiter.try_acquire_many("bulk", 5).is_ok());
        assert!(limiter.try_acquire_many("other", 3).is_err());
        assert_eq!(limiter.quota_of("bulk"), own);
    }

    #[test]
    fn quotas_change_under_known_keys() {
        let (limiter, _) = limiter(10);
        let limiter = limiter.quota_for("bulk", Quota::calls(5).per(SECOND).build().unwrap());
        for key in ["bulk", "other"] {
            limiter.try_acquire_many(key, 2).unwrap();
        }
        limiter.set_quota(Quota::calls(1).per(SECOND).burst(3).unwrap());
        assert!(limiter.try_acquire("other").is_ok(), "the third of three");
        assert!(limiter.try_acquire_many("bulk", 4).is_err(), "it has a quota of its own");
        limiter.set_quota_for("bulk", Quota::calls(1).per(SECOND).burst(9).unwrap());
        assert!(limiter.try_acquire_many("bulk", 8).is_ok());
    }

    #[test]
    fn idle_keys_are_dropped_for_new_ones() {
        let (limiter, hands) = limiter(1_000_000);
        let use_keys = |keys: std::ops::Range<u32>| {
            for key in keys {
                limiter.try_acquire(&key.to_string()).unwrap();
            }
        };
        use_keys(0..1000);
        hands.advance(SECOND);
        use_keys(1000..4000);
        let snapshot = limiter.snapshot();
        assert!(snapshot.keys <= 3100, "{} keys are kept", snapshot.keys);
        assert_eq!(snapshot.evicted, 0, "nothing was forgotten");
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        for max_keys in [1, 7, 100, 5000] {
            let (limiter, _) = limiter(max_keys);
            for key in 0..20_000 {
                limiter.try_acquire(&key.to_string()).unwrap();
            }
            let snapshot = limiter.snapshot();
            assert!(snapshot.keys <= max_keys as usize, "{} of {max_keys}", snapshot.keys);
            assert!(snapshot.evicted >= 15_000, "{} were forgotten early", snapshot.evicted);
        }
    }

    #[test]
    fn the_key_that_has_used_least_goes_first() {
        let (limiter, _) = limiter(2);
        limiter.try_acquire_many("heavy", 2).unwrap();
        for key in 0..50 {
            limiter.try_acquire(&key.to_string()).unwrap();
        }
        assert!(limiter.try_acquire("heavy").is_err(), "a flood of keys gave it a new burst");
    }

    #[test]
    fn a_long_key_is_kept_short_and_its_own() {
        let (limiter, _) = limiter(10);
        let (one, other) = ("k".repeat(1 << 20), "k".repeat(1 << 20) + "2");
        limiter.try_acquire_many(&one, 2).unwrap();
        assert!(limiter.try_acquire(&other).is_ok(), "they are two keys");
        let rejected = limiter.try_acquire(&one).unwrap_err();
        assert!(rejected.name().len() <= 256, "{} bytes are kept", rejected.name().len());
        assert!(rejected.name().starts_with("kkkk"));
        let limiter = limiter.quota_for(&one, Quota::calls(5).per(SECOND).build().unwrap());
        assert_eq!(limiter.quota_of(&one).max_calls(), 5);
        assert_eq!(limiter.quota_of(&other).max_calls(), 1);
        for letter in ["\u{20ac}", "\u{1f600}"] {
            limiter.try_acquire(&letter.repeat(1000)).unwrap();
        }
    }

    #[test]
    fn a_key_loses_its_own_quota() {
        let (limiter, _) = limiter(10);
        let limiter = limiter.quota_for("bulk", Quota::calls(5).per(SECOND).build().unwrap());
        limiter.try_acquire("bulk").unwrap();
        assert!(limiter.remove_quota_for("bulk").is_some());
        assert!(limiter.remove_quota_for("bulk").is_none());
        assert!(limiter.try_acquire_many("bulk", 3).is_err(), "the default has a burst of two");
    }

    fn patient(max_keys: u32) -> (KeyedRateLimiter, ManualClock) {
        let (clock, hands) = Clock::manual();
        let quota = Quota::calls(1).per(SECOND).burst(1).unwrap();
        let limiter = KeyedRateLimiter::builder("tools", quota).clock(clock).max_keys(max_keys);
        (limiter.max_wait(2 * SECOND).build().unwrap(), hands)
    }

    fn poll(acquire: &mut Pin<Box<AcquireKey>>) -> Poll<Result<(), Rejected>> {
        acquire.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test(start_paused = true)]
    async fn calls_of_a_key_wait_for_that_key_alone() {
        let (limiter, hands) = patient(10);
        let mut acquires: Vec<_> = ["a", "a", "b", "a", "a"].map(|key| Box::pin(limiter.acquire(key))).into();
        let first: Vec<_> = acquires.iter_mut().map(poll).collect();
        assert!(first[0].is_ready() && first[1].is_pending() && first[2].is_ready() && first[3].is_pending());
        let Poll::Ready(Err(rejected)) = &first[4] else { panic!("its turn comes after three seconds") };
        assert_eq!((rejected.name(), rejected.retry_after()), ("a", Some(3 * SECOND)));
        assert_eq!((limiter.snapshot().waiting, limiter.snapshot().rejected), (2, 1));

        hands.advance(SECOND);
        assert!(poll(&mut acquires[3]).is_pending(), "the second waiter is behind the first");
        assert!(poll(&mut acquires[1]).is_ready());
        assert!(limiter.try_acquire("a").is_err(), "no call passes one that waits");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_waiter_of_a_key_costs_nothing() {
        let (limiter, hands) = patient(10);
        limiter.try_acquire("a").unwrap();
        let (mut cancelled, mut next) = (Box::pin(limiter.acquire("a")), Box::pin(limiter.acquire("a")));
        assert!(poll(&mut cancelled).is_pending() && poll(&mut next).is_pending());
        drop(cancelled);
        hands.advance(SECOND);
        assert!(poll(&mut next).is_ready(), "it has moved up");
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_of_a_key_get_the_turns_of_a_new_quota() {
        for own in [false, true] {
            let (limiter, hands) = patient(10);
            limiter.try_acquire("a").unwrap();
            let mut waiter = Box::pin(limiter.acquire("a"));
            assert!(poll(&mut waiter).is_pending());
            let faster = Quota::calls(10).per(SECOND).burst(1).unwrap();
            if own {
                limiter.set_quota_for("a", faster);
            } else {
                limiter.set_quota(faster);
            }
            assert!(poll(&mut waiter).is_pending());
            hands.advance(SECOND / 5);
            assert!(poll(&mut waiter).is_ready(), "own: {own}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_of_an_evicted_key_get_their_turns() {
        let (limiter, hands) = patient(1);
        limiter.try_acquire("a").unwrap();
        let mut waiter = Box::pin(limiter.acquire("a"));
        assert!(poll(&mut waiter).is_pending());
        limiter.try_acquire("b").unwrap();
        assert_eq!(limiter.snapshot().keys, 1, "the waiter's key is forgotten");
        hands.advance(SECOND);
        assert!(poll(&mut waiter).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_of_a_key_sleep_until_their_turn() {
        let (limiter, _hands) = patient(10);
        limiter.try_acquire("a").unwrap();
        let began = time::Instant::now();
        limiter.acquire("a").await.unwrap();
        assert_eq!(began.elapsed(), SECOND);
    }

    #[test]
    fn a_limiter_without_room_is_an_error() {
        let quota = Quota::calls(1).per(SECOND).build().unwrap();
        let error = KeyedRateLimiter::builder("tools", quota).max_keys(0).build().unwrap_err();
        assert_eq!(error.to_string(), "`max_keys` is 0, but must be at least 1");
    }
}
