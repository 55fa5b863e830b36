//! The hosts of the page, against a stranger's name that resolves to its address (DNS rebinding).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::PageRoutes;

/// Returns the host of a request: HTTP/2 has it in the address, HTTP/1.1 in a header.
pub(super) fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let authority = uri.authority().map(|authority| authority.as_str());
    authority.or_else(|| headers.get(header::HOST)?.to_str().ok())
}

/// Answers requests for other hosts, if the program has named its own.
pub(super) async fn check(State(routes): State<Arc<PageRoutes>>, request: Request, next: Next) -> Response {
    let host = host_of(request.uri(), request.headers());
    let own =
        routes.hosts.is_empty() || host.is_some_and(|host| routes.hosts.iter().any(|own| is(own, host)));
    if own {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "the host is not one of this page").into_response()
    }
}

/// Returns whether a host is this one: with the port if `own` has one, and with any port otherwise.
fn is(own: &str, host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    own.eq_ignore_ascii_case(host) || own.eq_ignore_ascii_case(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_its_port_or_any() {
        assert!(is("ops.shop.test", "OPS.shop.test:8443") && is("ops.shop.test", "ops.shop.test"));
        assert!(is("[::1]", "[::1]:80") && is("[::1]", "[::1]") && is("ops:80", "ops:80"));
        assert!(!is("ops:80", "ops:81") && !is("ops:80", "ops"));
        assert!(!is("shop.test", "evil.shop.test") && !is("ops", "ops.evil.test"));
    }

    #[test]
    fn the_host_of_http_2_is_in_the_address() {
        let (none, mut headers) = (HeaderMap::new(), HeaderMap::new());
        headers.insert(header::HOST, "ops".parse().unwrap());
        assert_eq!(host_of(&Uri::from_static("http://page/events"), &none), Some("page"));
        assert_eq!(host_of(&Uri::from_static("/events"), &headers), Some("ops"));
        assert_eq!(host_of(&Uri::from_static("/events"), &none), None);
    }
}
