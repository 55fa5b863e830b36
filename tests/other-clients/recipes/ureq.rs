use halfopen::{CircuitBreaker, Outcome, Rejected};
use halfopen_http::HttpClassify;
use ureq::http::{Request, Response, StatusCode};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{Body, Error, SendBody};

/// A middleware that sends nothing while the breaker is open.
pub struct Protect(pub CircuitBreaker);

impl Middleware for Protect {
    fn handle(
        &self,
        request: Request<SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, Error> {
        let permit = self.0.try_acquire().map_err(|rejected| Error::Other(Box::new(rejected)))?;
        let result = next.handle(request);
        permit.record(outcome(&result));
        result
    }
}

/// Classifies a status by the rules of HTTP, whether or not ureq makes an error of it.
pub fn outcome(result: &Result<Response<Body>, Error>) -> Outcome {
    match result {
        Ok(response) => HttpClassify::new().outcome(response.status()),
        Err(Error::StatusCode(code)) => {
            StatusCode::from_u16(*code).map_or(Outcome::Failure, |status| HttpClassify::new().outcome(status))
        }
        Err(Error::BadUri(_) | Error::Http(_) | Error::RequireHttpsOnly(_)) => Outcome::Ignored, // never sent
        Err(_) => Outcome::Failure,
    }
}

/// Finds the rejection in an error of ureq, which has no `source()`.
pub fn rejection(error: &Error) -> Option<&Rejected> {
    match error {
        Error::Other(error) => halfopen::rejection(&**error),
        _ => None,
    }
}
