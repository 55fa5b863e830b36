use std::time::Duration;

use fusebox::{Classify, Outcome};
use fusebox_http::HttpClassify;
use http::Response;

use crate::pace::Pace;

/// What an answer is worth: `HttpClassify`, with the server's `Retry-After` brought to our pace.
///
/// The server of the script asks for script seconds, and the clients run `speed` times as fast.
#[derive(Clone)]
pub(crate) struct Answers {
    http: HttpClassify,
    pace: Pace,
}

impl Answers {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { http: HttpClassify::new(), pace }
    }
}

impl<B, E: 'static> Classify<Response<B>, E> for Answers {
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        self.http.classify(result)
    }

    fn retry_after(&self, result: &Result<Response<B>, E>) -> Option<Duration> {
        self.http.retry_after(result).map(|hint| self.pace.real(hint))
    }
}
