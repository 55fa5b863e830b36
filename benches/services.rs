//! The inner services of the stacks, and a driver for calls through a stack without a runtime.

use std::error::Error;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use tower_service::Service;

/// The error of a failing call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed")
    }
}

impl Error for Failed {}

/// The request that fails in an [`Inner`]; all others succeed.
pub(crate) const FAIL: u64 = u64::MAX;

/// Always ready, and responds immediately.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inner;

impl Service<u64> for Inner {
    type Response = u64;
    type Error = Failed;
    type Future = Ready<Result<u64, Failed>>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: u64) -> Self::Future {
        ready(if request == FAIL { Err(Failed) } else { Ok(black_box(request)) })
    }
}

/// The same, with a boxed future.
#[derive(Clone, Debug, Default)]
pub(crate) struct Boxed;

impl Service<u64> for Boxed {
    type Response = u64;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<u64, Failed>> + Send>>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: u64) -> Self::Future {
        // Through a black box: the compiler would otherwise remove the box.
        black_box(Box::pin(ready(Ok(request))))
    }
}

/// Always fails, and counts its polls and calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(pub(crate) Arc<Touched>);

#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) polled: AtomicU64,
    pub(crate) called: AtomicU64,
}

impl Service<u64> for Broken {
    type Response = u64;
    type Error = Failed;
    type Future = Ready<Result<u64, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.0.polled.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u64) -> Self::Future {
        self.0.called.fetch_add(1, Ordering::Relaxed);
        ready(Err(Failed))
    }
}

impl Touched {
    pub(crate) fn both(&self) -> u64 {
        self.polled.load(Ordering::Relaxed) + self.called.load(Ordering::Relaxed)
    }

    pub(crate) fn forget(&self) {
        self.polled.store(0, Ordering::Relaxed);
        self.called.store(0, Ordering::Relaxed);
    }
}

/// Makes calls in sequence: `poll_ready`, `call`, and the future polled to completion, with a waker that does
/// nothing.
#[inline]
pub(crate) fn drive<S: Service<u64>>(service: &mut S, calls: u64) {
    for request in 0..calls {
        black_box(&one(black_box(&mut *service), request));
    }
}

/// Polls one call to completion.
#[inline]
pub(crate) fn one<S: Service<u64>>(service: &mut S, request: u64) -> Result<S::Response, S::Error> {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match service.poll_ready(&mut context) {
            Poll::Ready(Ok(())) => break,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => std::hint::spin_loop(),
        }
    }
    let mut future = pin!(service.call(black_box(request)));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => std::hint::spin_loop(),
        }
    }
}
