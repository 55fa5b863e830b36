use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// The number of requests that are processed in parallel.
const WORKERS: usize = 4;

/// The size of the queue: more than a second of work at full speed, so that the last request of a full queue is
/// answered after its caller has given up.
const QUEUE: usize = 64;

/// The workers of the server for one client.
///
/// Each client has its own, so that the load of one does not slow down the other.
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

    /// Waits for a worker, and then for the duration of the work.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] immediately if the queue is full.
    ///
    /// # Cancel safety
    ///
    /// Accepted work is completed even if the caller has gone: a server rarely notices that its client has
    /// given up, which sustains an overload.
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
