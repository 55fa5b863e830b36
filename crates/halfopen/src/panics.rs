use std::any::Any;
use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs user code and returns [`None`] if it panics.
///
/// The payload of the panic is dropped here. A payload whose own drop panics is contained as well: no panic
/// leaves this function.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::catch_panic;
///
/// assert_eq!(catch_panic(|| 5), Some(5));
/// assert_eq!(catch_panic(|| -> u32 { panic!("in a classifier") }), None);
/// ```
#[inline]
pub fn catch_panic<T>(user_code: impl FnOnce() -> T) -> Option<T> {
    // Only the user's own state can be left inconsistent by a panic; the closure borrows none of ours.
    match catch_unwind(AssertUnwindSafe(user_code)) {
        Ok(answer) => Some(answer),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Runs user code that returns a future and awaits it, and returns [`None`] if either panics.
///
/// The panic is contained as by [`catch_panic`]. A future that has panicked is not polled again.
///
/// # Cancel safety
///
/// That of the user's future, which is dropped with this one.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::catch_panic_in_future;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(catch_panic_in_future(|| async { 5 }).await, Some(5));
/// assert_eq!(catch_panic_in_future(|| async { panic!("in a handler") }).await, None::<u32>);
/// # }
/// ```
pub async fn catch_panic_in_future<F: Future>(user_code: impl FnOnce() -> F) -> Option<F::Output> {
    let mut future = pin!(catch_panic(user_code)?);
    poll_fn(|context| match catch_panic(|| future.as_mut().poll(context)) {
        Some(polled) => polled.map(Some),
        None => Poll::Ready(None),
    })
    .await
}

/// How many payloads are dropped for one panic: the drop of each may panic with a payload of its own.
const DROPPED_PAYLOADS: usize = 4;

#[cold]
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..DROPPED_PAYLOADS {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    // Leaked: dropping it could panic again, and so on without end.
    mem::forget(payload);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics when it is dropped, with a payload that does the same, this many times.
    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if let Some(remaining) = self.0.checked_sub(1) {
                panic_any(Bomb(remaining));
            }
        }
    }

    #[test]
    fn panics_of_payloads_are_contained() {
        for bombs in 0..DROPPED_PAYLOADS as u32 {
            assert_eq!(catch_panic(|| -> u32 { panic_any(Bomb(bombs)) }), None, "{bombs} bombs");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "leaks, as it has to")]
    fn panics_of_payloads_come_to_an_end() {
        assert_eq!(catch_panic(|| -> u32 { panic_any(Bomb(u32::MAX)) }), None);
    }
}
