use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// How many requests are worked on in parallel.
const WORKERS: usize = 4;

/// How many more may wait for a worker: more than a second of work at full speed, so that the last in a full
/// queue is answered after its caller has given up.
const QUEUE: usize = 64;

/// The part of the server that works for one client.
///
/// Each client has one of its own, so that the load of one does not slow down the other.
#[derive(Debug)]
pub(crate) struct Workers {
    free: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Workers {
    pub(crate) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(WORKERS)), places: Arc::new(Semaphore::new(WORKERS + QUEUE)) }
    }

    /// Waits for a worker, and then for as long as the work takes.
    ///
    /// # Errors
    ///
    /// [`Full`], immediately, if too many requests wait already.
    ///
    /// # Cancel safety
    ///
    /// Work that was accepted is done although the caller has gone: a server rarely notices that its
    /// client has given up, and this is what keeps an overload alive.
    pub(crate) async fn work(&self, takes: Duration) -> Result<(), Full> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Full)?;
        let worked = tokio::spawn(work(Arc::clone(&self.free), place, takes));
        worked.await.expect("work neither panics nor is aborted while the server runs");
        Ok(())
    }
}

async fn work(free: Arc<Semaphore>, place: OwnedSemaphorePermit, takes: Duration) {
    // In order of arrival: tokio's semaphore is fair.
    let worker = free.acquire().await.expect("the semaphore is never closed");
    sleep(takes).await;
    drop((worker, place));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Waker};

    #[tokio::test(flavor = "current_thread")]
    async fn a_full_queue_refuses_and_work_is_done_unseen() {
        let workers = Workers::new();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..WORKERS + QUEUE {
            let mut request = Box::pin(workers.work(Duration::from_secs(3_600)));
            assert!(request.as_mut().poll(&mut context).is_pending());
            drop(request); // the client has given up
        }

        assert_eq!(workers.work(Duration::ZERO).await, Err(Full), "the places are still taken");
    }
}
