//! rmcp's errors mapped to outcomes.

use std::io;

use halfopen::Report;
use rmcp::ServiceError;
use rmcp::model::{ErrorCode, ErrorData};
use rmcp::service::ClientInitializeError;

use crate::ConnectError;

/// "URL elicitation required" of the TypeScript SDK: a request to the user, in the range of failures.
const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);

/// Returns the outcome of a call that ended with this error.
///
/// | error | outcome |
/// |---|---|
/// | a timeout, a closed transport, a response of another type | failure |
/// | the server's error −32603 or one of −32000 to −32099, without the codes that name a fault of the request | failure |
/// | any other error of the server | success: it answered |
/// | HTTP 429 and 503 with `Retry-After` | throttled, with the hint |
/// | HTTP 501 and 505 | success |
/// | other errors of the transport | failure |
/// | missing or refused authorization, cancelled and local errors | ignored |
pub fn outcome(error: &ServiceError) -> Report {
    match error {
        ServiceError::McpError(error) => of_the_server(error),
        ServiceError::TransportSend(error) => of_the_transport(error),
        ServiceError::TransportClosed | ServiceError::UnexpectedResponse | ServiceError::Timeout { .. } => {
            Report::failure()
        }
        ServiceError::Cancelled { .. }
        | ServiceError::SubscriptionLagged { .. }
        | ServiceError::InputRequiredRoundsExceeded { .. } => Report::ignored(),
        // Later errors of rmcp: no evidence until they are known.
        _ => Report::ignored(),
    }
}

/// Returns the outcome of a connection that was not made.
///
/// A server that speaks another version, and a program that does not exist, are errors of the configuration: no breaker
/// heals them, so they are ignored.
pub fn connect_outcome(error: &ConnectError) -> Report {
    match error {
        ConnectError::Timeout(_) | ConnectError::Other(_) => Report::failure(),
        ConnectError::Spawn(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Report::ignored(),
            _ => Report::failure(),
        },
        ConnectError::Initialize(error) => of_the_session(error),
    }
}

fn of_the_session(error: &ClientInitializeError) -> Report {
    match error {
        ClientInitializeError::ConnectionClosed(_) => Report::failure(),
        ClientInitializeError::TransportError { error, .. } => of_the_transport(error),
        ClientInitializeError::JsonRpcError(error) => match is_failure(error.code) {
            true => Report::failure(),
            false => Report::ignored(),
        },
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => of_the_session(fallback),
        // Versions, and answers to another request: no breaker heals them.
        _ => Report::ignored(),
    }
}

pub(crate) fn of_the_server(error: &ErrorData) -> Report {
    if is_failure(error.code) { Report::failure() } else { Report::success() }
}

fn is_failure(code: ErrorCode) -> bool {
    match code {
        ErrorCode::INTERNAL_ERROR => true,
        ErrorCode::RESOURCE_NOT_FOUND
        | ErrorCode::HEADER_MISMATCH
        | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY
        | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
        | URL_ELICITATION_REQUIRED => false,
        ErrorCode(code) => (-32099..=-32000).contains(&code),
    }
}

#[cfg(not(feature = "http"))]
fn of_the_transport(_: &rmcp::transport::DynamicTransportError) -> Report {
    Report::failure()
}

#[cfg(not(feature = "http"))]
pub(crate) fn is_unsent(_: &ServiceError) -> bool {
    false
}

#[cfg(feature = "http")]
use http_errors::of_the_transport;

#[cfg(feature = "http")]
pub(crate) use http_errors::is_unsent;

#[cfg(feature = "http")]
mod http_errors {
    use halfopen::Report;
    use rmcp::ServiceError;
    use rmcp::transport::DynamicTransportError;
    use rmcp::transport::streamable_http_client::{HttpStatusError, StreamableHttpError};

    type HttpError = StreamableHttpError<reqwest::Error>;

    pub(crate) fn of_the_transport(error: &DynamicTransportError) -> Report {
        let Some(error) = error.error.downcast_ref::<HttpError>() else {
            return Report::failure();
        };
        match error {
            HttpError::HttpStatus(status) => of_the_status(status),
            HttpError::Client(error) if error.is_builder() || error.is_redirect() => Report::ignored(),
            HttpError::AuthRequired(_)
            | HttpError::InsufficientScope(_)
            | HttpError::ReservedHeaderConflict(_) => Report::ignored(),
            HttpError::ResponseBodyTooLarge { .. } => Report::success(),
            // Login pages, pages of proxies and every 4xx are among them, and are indistinguishable.
            _ => Report::failure(),
        }
    }

    /// As for every HTTP client. The transport reports 429 and 5xx this way, and nothing else.
    fn of_the_status(error: &HttpStatusError) -> Report {
        let mut headers = http::HeaderMap::new();
        if let Some(Ok(hint)) = error.retry_after.as_deref().map(str::parse) {
            headers.insert(http::header::RETRY_AFTER, hint);
        }
        let Ok(status) = http::StatusCode::from_u16(error.status) else { return Report::failure() };
        let outcome = halfopen_http::HttpClassify::new().outcome_with(status, &headers);
        Report::from(outcome).retry_after(halfopen_http::retry_after_now(&headers))
    }

    /// A refused connection: no byte of the call was sent.
    pub(crate) fn is_unsent(error: &ServiceError) -> bool {
        let ServiceError::TransportSend(error) = error else { return false };
        match error.error.downcast_ref::<HttpError>() {
            Some(HttpError::Client(error)) => error.is_connect(),
            Some(_) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use halfopen::Outcome;

    use super::*;

    fn code(code: i32) -> Outcome {
        outcome(&ServiceError::McpError(ErrorData::new(ErrorCode(code), "x", None))).outcome()
    }

    #[test]
    fn errors_of_the_server_count_by_their_code() {
        for failure in [-32603, -32000, -32001, -32050, -32099] {
            assert_eq!(code(failure), Outcome::Failure, "{failure}");
        }
        for answer in [-32700, -32600, -32601, -32602, -32002, -32020, -32021, -32022, -32042, -32100, 7] {
            assert_eq!(code(answer), Outcome::Success, "{answer}");
        }
    }

    #[test]
    fn a_closed_transport_is_a_failure_and_a_cancel_none() {
        assert_eq!(outcome(&ServiceError::TransportClosed).outcome(), Outcome::Failure);
        assert_eq!(outcome(&ServiceError::UnexpectedResponse).outcome(), Outcome::Failure);
        assert_eq!(outcome(&ServiceError::Cancelled { reason: None }).outcome(), Outcome::Ignored);
    }

    #[test]
    fn a_configuration_is_not_healed_by_a_breaker() {
        let spawn = |kind: io::ErrorKind| connect_outcome(&ConnectError::Spawn(kind.into())).outcome();
        assert_eq!(spawn(io::ErrorKind::NotFound), Outcome::Ignored);
        assert_eq!(spawn(io::ErrorKind::OutOfMemory), Outcome::Failure);
        let session = |code| {
            let error = ClientInitializeError::JsonRpcError(ErrorData::new(ErrorCode(code), "x", None));
            connect_outcome(&error.into()).outcome()
        };
        assert_eq!(session(-32602), Outcome::Ignored);
        assert_eq!(session(-32603), Outcome::Failure);
        let closed = ClientInitializeError::ConnectionClosed("initialize response".into());
        assert_eq!(connect_outcome(&closed.into()).outcome(), Outcome::Failure);
    }

    #[cfg(feature = "http")]
    #[test]
    fn statuses_count_as_in_http() {
        use rmcp::service::RoleClient;
        use rmcp::transport::streamable_http_client::{HttpStatusError, StreamableHttpError};
        use rmcp::transport::{DynamicTransportError, StreamableHttpClientTransport};

        let status = |status, hint: Option<&str>| {
            let error = HttpStatusError::new(status, hint.map(str::to_owned));
            let error = DynamicTransportError::new::<
                StreamableHttpClientTransport<reqwest::Client>,
                RoleClient,
            >(StreamableHttpError::HttpStatus(error));
            outcome(&ServiceError::TransportSend(error))
        };
        assert_eq!(status(429, Some("7")).outcome(), Outcome::Throttled);
        assert_eq!(
            status(503, Some("7")),
            Report::throttled().retry_after(std::time::Duration::from_secs(7))
        );
        assert_eq!(status(503, None).outcome(), Outcome::Failure);
        assert_eq!(status(500, Some("soon")).outcome(), Outcome::Failure);
        assert_eq!(status(501, None).outcome(), Outcome::Success);
    }
}
