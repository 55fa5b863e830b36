use std::time::Duration;

use halfopen::{Classify, Outcome};
use halfopen_http::HttpClassify;
#[cfg(feature = "reqwest")]
use halfopen_reqwest::ReqwestClassify;
use http::Response;

use crate::pace::Pace;

/// `HttpClassify` or `ReqwestClassify`, with the server's `Retry-After` divided by the speed: the server sends
/// script seconds.
#[derive(Clone)]
pub(crate) struct Answers {
    http: HttpClassify,
    #[cfg(feature = "reqwest")]
    reqwest: ReqwestClassify,
    pace: Pace,
}

impl Answers {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            http: HttpClassify::new(),
            #[cfg(feature = "reqwest")]
            reqwest: ReqwestClassify::new(),
            pace,
        }
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

#[cfg(feature = "reqwest")]
type ReqwestResult = Result<reqwest::Response, reqwest_middleware::Error>;

#[cfg(feature = "reqwest")]
impl Classify<reqwest::Response, reqwest_middleware::Error> for Answers {
    fn classify(&self, result: &ReqwestResult) -> Outcome {
        self.reqwest.classify(result)
    }

    fn retry_after(&self, result: &ReqwestResult) -> Option<Duration> {
        self.reqwest.retry_after(result).map(|hint| self.pace.real(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_divided_by_the_speed() {
        let response = Response::builder().status(503).header("retry-after", "3").body(()).unwrap();
        let result: Result<_, std::io::Error> = Ok(response);
        let answers = Answers::new(Pace::starting_now(6.0));

        assert_eq!(answers.classify(&result), Outcome::Throttled);
        assert_eq!(answers.retry_after(&result), Some(Duration::from_millis(500)));
    }
}
