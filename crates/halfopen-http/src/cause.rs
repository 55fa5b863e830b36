use std::any::Any;
use std::error::Error;
use std::io;
use std::time::Duration;

#[cfg(any(feature = "hyper", feature = "hyper-util", feature = "h2", feature = "tower"))]
use halfopen::adapter::error_as;
use halfopen::adapter::{error_chain, error_in};
use halfopen::{Classify, Outcome, rejection};
use http::Response;
use http_body_util::LengthLimitError;

/// A classifier of typed errors, which walks their `source()` chain.
///
/// [`HttpClassify`](crate::HttpClassify) and [`GrpcClassify`](crate::GrpcClassify) accept any error
/// type and inspect the types that they know: boxed errors, [`io::Error`] and, by feature, the errors of
/// clients. To walk the chain of another type, such as a client's wrapper of hyper's error, the type must
/// implement [`Error`], which this wrapper requires. Created by `typed_errors()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TypedErrors<C>(pub(crate) C);

impl<B, E: Error + 'static, C: Classify<Response<B>, E>> Classify<Response<B>, E> for TypedErrors<C> {
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        match result {
            // The callee was not asked, or not at fault: its breaker learns nothing from this.
            Err(error) if is_local(error) => Outcome::Ignored,
            Ok(_) | Err(_) => self.0.classify(result),
        }
    }

    fn retry_after(&self, result: &Result<Response<B>, E>) -> Option<Duration> {
        self.0.retry_after(result)
    }

    fn describe(&self, result: &Result<Response<B>, E>) -> Option<String> {
        self.0.describe(result)
    }
}

/// Returns `true` if the caller's own side caused an error, which is then no evidence about the server.
///
/// Walks the [`error_chain`](halfopen::adapter::error_chain) and finds:
///
/// - the rejection of a nested breaker, bulkhead or rate limit ([`halfopen::rejection`]);
/// - a body that exceeds a limit set by the caller (`http_body_util::LengthLimitError`);
/// - with feature `hyper`, a user error of hyper, such as an error of the request body;
/// - with feature `h2`, a stream that was reset locally: an error of the request body, a message that
///   the client refuses to encode, a cancelled call;
/// - with feature `tower`, a call that `tower::load_shed` has shed.
///
/// A failure to connect is not local: the server was unreachable.
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
/// use halfopen_http::is_local;
/// use std::io;
///
/// let breaker = CircuitBreaker::builder("storage").build();
/// breaker.force_open();
/// assert!(is_local(&io::Error::other(breaker.try_acquire().unwrap_err())));
/// assert!(!is_local(&io::Error::from(io::ErrorKind::ConnectionRefused)));
/// ```
pub fn is_local(error: &(dyn Error + 'static)) -> bool {
    rejection(error).is_some() || error_chain(error).any(is_local_itself)
}

fn is_local_itself(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || is_user_of_hyper(error) || is_reset_here(error) || is_shed(error)
}

#[cfg(feature = "hyper")]
fn is_user_of_hyper(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user)
}

#[cfg(not(feature = "hyper"))]
fn is_user_of_hyper(_: &(dyn Error + 'static)) -> bool {
    false
}

/// Excludes resets by the peer (remote), and by h2 after a protocol error of the peer (library).
#[cfg(feature = "h2")]
fn is_reset_here(error: &(dyn Error + 'static)) -> bool {
    let reset = error.downcast_ref::<h2::Error>().filter(|error| error.is_reset());
    // Reset by this side, and not by the library because the peer broke the protocol.
    reset.is_some_and(|error| !error.is_remote() && !error.is_library())
}

#[cfg(not(feature = "h2"))]
fn is_reset_here(_: &(dyn Error + 'static)) -> bool {
    false
}

#[cfg(feature = "tower")]
fn is_shed(error: &(dyn Error + 'static)) -> bool {
    error.is::<tower::load_shed::error::Overloaded>()
}

#[cfg(not(feature = "tower"))]
fn is_shed(_: &(dyn Error + 'static)) -> bool {
    false
}

/// Returns `true` if an error was caused by a timeout of the standard library's types.
///
/// Searches the [`error_chain`](halfopen::adapter::error_chain) for [`io::ErrorKind::TimedOut`]. The
/// adapters of clients know the timeout errors of their clients, such as tonic's `TimeoutExpired`.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// let timed_out = io::Error::from(io::ErrorKind::TimedOut);
/// assert!(halfopen_http::is_timeout(&io::Error::other(timed_out)));
/// assert!(!halfopen_http::is_timeout(&io::Error::from(io::ErrorKind::ConnectionReset)));
/// ```
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error_chain(error).any(|error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}

/// Returns the outcome of an error: ignored if the caller's own side caused it, otherwise a failure.
pub(crate) fn outcome_of<E: 'static>(error: &E) -> Outcome {
    match as_error(error) {
        Some(error) if is_local(error) => Outcome::Ignored,
        Some(_) | None => Outcome::Failure,
    }
}

/// Returns the error in a value of any type, or [`None`] if the type is unknown.
///
/// The known types are those of [`error_in`](halfopen::adapter::error_in) and, by feature, the errors of
/// hyper, hyper-util, h2 and tower's `load_shed`. An adapter adds the types of its own client.
///
/// # Examples
///
/// ```
/// use halfopen::BoxError;
/// use halfopen_http::as_error;
///
/// assert!(as_error(&BoxError::from("reset")).is_some());
/// assert!(as_error(&"no error").is_none());
/// ```
pub fn as_error(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error_in(any).or_else(|| of_a_client(any))
}

fn of_a_client(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    #[cfg(feature = "hyper")]
    if let Some(error) = error_as::<hyper::Error>(any) {
        return Some(error);
    }
    #[cfg(feature = "hyper-util")]
    if let Some(error) = error_as::<hyper_util::client::legacy::Error>(any) {
        return Some(error);
    }
    #[cfg(feature = "h2")]
    if let Some(error) = error_as::<h2::Error>(any) {
        return Some(error);
    }
    #[cfg(feature = "tower")]
    if let Some(error) = error_as::<tower::load_shed::error::Overloaded>(any) {
        return Some(error);
    }
    let _ = any;
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use halfopen::BoxError;
    use http_body_util::{BodyExt, Full, Limited};

    use super::*;
    use crate::HttpClassify;

    #[derive(Debug)]
    struct Wrapped(BoxError);

    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    /// Produced by http-body-util, as the type has no public constructor.
    async fn too_long() -> BoxError {
        Limited::new(Full::new(&b"too long"[..]), 3).collect().await.unwrap_err()
    }

    #[tokio::test]
    async fn a_limit_of_the_caller_is_local_however_wrapped() {
        let wrapped: [BoxError; 4] = [
            too_long().await,
            Box::new(Wrapped(too_long().await)),
            Box::new(io::Error::other(too_long().await)),
            Box::new(Arc::from(too_long().await) as Arc<dyn Error + Send + Sync>),
        ];
        for error in wrapped {
            assert!(is_local(&*error), "{error:?}");
            let typed = HttpClassify::new().typed_errors();
            assert_eq!(typed.classify(&Err::<Response<()>, _>(Wrapped(error))), Outcome::Ignored);
        }
        assert!(!is_local(&io::Error::from(io::ErrorKind::ConnectionReset)));
    }

    #[test]
    #[cfg(feature = "h2")]
    fn a_reason_alone_is_no_reset_from_this_side() {
        assert!(!is_local(&h2::Error::from(h2::Reason::CANCEL)), "the peer's reset of an upload");
    }

    #[test]
    #[cfg(feature = "tower")]
    fn a_call_that_tower_sheds_is_local() {
        assert!(is_local(&tower::load_shed::error::Overloaded::new()));
    }
}
