use halfopen::Classify;
use reqwest::Response;
use reqwest_middleware::Error;

/// The rules of a middleware, which all its clones share.
pub(crate) type Rules = dyn Classify<Response, Error> + Send + Sync;
