use std::time::Duration;

use halfopen::{Classify, rejection};
use http::Response;
use tokio::time::Sleep;
use tower::BoxError;
use tower::retry::Policy;

use crate::answer::Answers;
use crate::clients::Body;
use crate::pace::Pace;
use crate::random::Dice;
use crate::request::{self, HttpRequest};

/// The maximum number of attempts of a request.
pub(crate) const ATTEMPTS: u64 = 3;

/// The pause before the second attempt, in script time; doubled for the third.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Retries after a failure, with exponential backoff and jitter.
#[derive(Clone)]
pub(crate) struct TryAgain {
    pub(crate) answers: Answers,
    pub(crate) pace: Pace,
    pub(crate) seed: u64,
    pub(crate) attempt: u64,
}

impl Policy<HttpRequest, Response<Body>, BoxError> for TryAgain {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut HttpRequest,
        result: &mut Result<Response<Body>, BoxError>,
    ) -> Option<Sleep> {
        if self.attempt >= ATTEMPTS || !self.is_worth_another(result) {
            return None;
        }
        let pause = self.pause(request::number(request.headers()));
        self.attempt += 1;
        request::set_attempt(request.headers_mut(), self.attempt);
        Some(tokio::time::sleep(self.pace.real(pause)))
    }

    fn clone_request(&mut self, request: &HttpRequest) -> Option<HttpRequest> {
        Some(request.clone())
    }
}

impl TryAgain {
    /// A rejection is final: an immediate retry would be rejected again.
    fn is_worth_another(&self, result: &Result<Response<Body>, BoxError>) -> bool {
        if result.as_ref().is_err_and(|error| rejection(error.as_ref()).is_some()) {
            return false;
        }
        self.answers.classify(result).is_failure()
    }

    fn pause(&self, number: u64) -> Duration {
        let pause = FIRST_PAUSE * 2_u32.pow(u32::try_from(self.attempt - 1).unwrap_or(0));
        let mut dice = Dice::of_attempt(!self.seed, number, self.attempt);
        dice.between(pause / 2, pause + pause / 2)
    }
}
