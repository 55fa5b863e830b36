//! A service in the waiting mode, polled with a counting waker, and both clocks moved together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tower::Service;

use crate::modes::{Mode, WaitWhileOpen};
use crate::world::World;

/// The resolution of tokio's timer.
pub(crate) const ALMOST: Duration = Duration::from_millis(1);

pub(crate) type Waiting = <WaitWhileOpen as Mode>::Service;

#[derive(Default)]
pub(crate) struct Wakes(pub(crate) AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A service that is polled with a counting waker.
pub(crate) struct Waiter {
    pub(crate) service: Waiting,
    pub(crate) wakes: Arc<Wakes>,
}

impl Waiter {
    pub(crate) fn on(world: &World) -> Self {
        Waiter { service: WaitWhileOpen::service(world), wakes: Arc::default() }
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.wakes));
        match self.service.poll_ready(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => answer.map(|()| true).unwrap(),
            Poll::Pending => false,
        }
    }

    /// Whether it was woken since the previous call.
    pub(crate) fn was_woken(&self) -> bool {
        self.wakes.0.swap(0, Ordering::SeqCst) > 0
    }
}

/// Moves both clocks and lets tokio's timer run.
pub(crate) async fn pass(world: &World, time: Duration) {
    world.clock.advance(time);
    tokio::time::advance(time).await;
    tokio::task::yield_now().await;
}
