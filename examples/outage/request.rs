use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Empty;

/// The request that both clients send.
pub(crate) type HttpRequest = Request<Empty<Bytes>>;

const SENDER: HeaderName = HeaderName::from_static("x-outage-client");
const NUMBER: HeaderName = HeaderName::from_static("x-outage-request");
const ATTEMPT: HeaderName = HeaderName::from_static("x-outage-attempt");

/// Which of the two clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Bare,
    Protected,
}

impl Sender {
    pub(crate) const COUNT: usize = 2;

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Protected => "protected",
        }
    }
}

/// The first attempt of request `number`. The headers identify the client to the server, and let it use the
/// same random numbers for both clients.
pub(crate) fn get(uri: Uri, sender: Sender, number: u64) -> HttpRequest {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(SENDER, HeaderValue::from_static(sender.name()));
    headers.insert(NUMBER, number.into());
    headers.insert(ATTEMPT, 1_u64.into());
    request
}

pub(crate) fn set_attempt(headers: &mut HeaderMap, attempt: u64) {
    headers.insert(ATTEMPT, attempt.into());
}

pub(crate) fn sender(headers: &HeaderMap) -> Option<Sender> {
    let name = headers.get(SENDER)?;
    [Sender::Bare, Sender::Protected].into_iter().find(|sender| name == sender.name())
}

pub(crate) fn number(headers: &HeaderMap) -> u64 {
    numeric(headers, &NUMBER)
}

pub(crate) fn attempt(headers: &HeaderMap) -> u64 {
    numeric(headers, &ATTEMPT)
}

fn numeric(headers: &HeaderMap, name: &HeaderName) -> u64 {
    headers.get(name).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}
