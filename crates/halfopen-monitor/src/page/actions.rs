use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use halfopen::CircuitBreaker;
use serde::{Deserialize, Serialize};

use super::PageRoutes;
use super::host::host_of;
use crate::error::MonitorError;

/// What an operator can do on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Rejects every call until `close` or `reset`.
    ForceOpen,
    /// Closes the breaker and ends an override.
    Close,
    /// Closes the breaker, ends an override and reports a reset.
    Reset,
    /// Opens the breaker for its configured wait.
    Trip,
}

/// A body of `POST /actions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    breaker: String,
    action: Action,
}

/// The secret of those who may act.
#[derive(Clone)]
pub(super) struct Token(Arc<str>);

impl Token {
    pub(super) fn new(token: &str) -> Result<Token, MonitorError> {
        let length = token.len();
        if length < 16 {
            return Err(MonitorError(format!(
                "actions: the token has {length} bytes, but must have at least 16"
            )));
        }
        if !token.bytes().all(|byte| matches!(byte, b' '..=b'~')) || token.trim() != token {
            return Err(MonitorError(
                "actions: the token must have printable ASCII characters and no space at its ends, as a header does"
                    .to_owned(),
            ));
        }
        Ok(Token(token.into()))
    }

    /// Compares in a time that does not depend on where the two differ.
    fn is(&self, other: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), other.as_bytes());
        let difference = own.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other));
        own.len() == other.len() && std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Action::ForceOpen => "force_open",
            Action::Close => "close",
            Action::Reset => "reset",
            Action::Trip => "trip",
        }
    }

    fn apply(self, breaker: &CircuitBreaker) {
        match self {
            Action::ForceOpen => breaker.force_open(),
            Action::Close => breaker.force_closed(),
            Action::Reset => breaker.reset(),
            Action::Trip => breaker.trip(),
        }
    }
}

pub(super) async fn act(
    State(routes): State<Arc<PageRoutes>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let refuse = |status: StatusCode, why: &'static str| {
        routes.shared.refused(why);
        (status, why).into_response()
    };
    let Some(token) = &routes.token else { return refuse(StatusCode::NOT_FOUND, "actions are not enabled") };
    if !is_same_origin(&uri, &headers) {
        return refuse(StatusCode::FORBIDDEN, "the origin is not that of the page");
    }
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !given.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|given| token.is(given)) {
        return refuse(StatusCode::UNAUTHORIZED, "the token is wrong");
    }
    let Ok(request) = serde_json::from_slice::<Request>(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "the body is not {\"breaker\": .., \"action\": ..}");
    };
    let Some(breaker) = routes.shared.breaker(&request.breaker) else {
        return refuse(StatusCode::NOT_FOUND, "no such breaker");
    };
    request.action.apply(&breaker);
    let name = request.breaker.escape_debug();
    routes.shared.acted(&format!("{} of `{name}`: now {}", request.action.as_str(), breaker.state()));
    StatusCode::NO_CONTENT.into_response()
}

/// Returns whether the request comes from a page of this host. Browsers send `Origin` with each POST.
fn is_same_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    let same =
        origin.zip(host_of(uri, headers)).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host));
    same && site.is_none_or(|site| site == "same-origin")
}
