use std::borrow::Cow;

use halfopen_tower::adapter::Key;
use http::Request;

/// Names one breaker per method, `package.Service/Method`:
/// [`GrpcCircuitBreakerLayer::per_method`](crate::GrpcCircuitBreakerLayer::per_method).
#[derive(Clone, Copy, Debug, Default)]
pub struct PerMethod;

/// Names one breaker per service, `package.Service`:
/// [`GrpcCircuitBreakerLayer::per_service`](crate::GrpcCircuitBreakerLayer::per_service).
#[derive(Clone, Copy, Debug, Default)]
pub struct PerService;

impl<B> Key<Request<B>> for PerMethod {
    fn key<'a>(&self, request: &'a Request<B>) -> Cow<'a, str> {
        Cow::Borrowed(method_of(request.uri().path()))
    }

    fn is_key(&self, request: &Request<B>, name: &str) -> bool {
        is_method_of(request.uri().path(), name)
    }
}

impl<B> Key<Request<B>> for PerService {
    fn key<'a>(&self, request: &'a Request<B>) -> Cow<'a, str> {
        let method = method_of(request.uri().path());
        Cow::Borrowed(method.split_once('/').map_or(method, |(service, _)| service))
    }
}

/// Returns the last two segments of a path.
///
/// The extension `GrpcMethod` would be more direct, but a server does not have it. The segments are counted from the
/// end, because the origin of a client can add a prefix.
fn method_of(path: &str) -> &str {
    // From the right, because a proxy may have a prefix in front of `/package.Service/Method`.
    let last_slash = |text: &str| text.bytes().rposition(|byte| byte == b'/');
    let second_last = last_slash(path).and_then(|last| last_slash(&path[..last]));
    second_last.map_or(path.trim_start_matches('/'), |at| &path[at + 1..])
}

/// Returns whether [`method_of`] returns `name`, which it has returned before, for this path.
fn is_method_of(path: &str, name: &str) -> bool {
    // Almost always the whole path: a name has at most one slash, so nothing is in front of what follows the first one.
    path.strip_prefix('/') == Some(name) || method_of(path) == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_named_by_the_end_of_its_path() {
        for (path, method, service) in [
            ("/shop.v1.Inventory/Get", "shop.v1.Inventory/Get", "shop.v1.Inventory"),
            ("/behind/a/proxy/shop.v1.Inventory/Get", "shop.v1.Inventory/Get", "shop.v1.Inventory"),
            ("/Inventory/Get", "Inventory/Get", "Inventory"),
            ("/odd", "odd", "odd"),
            ("/", "", ""),
        ] {
            let request = Request::get(path).body(()).unwrap();
            assert_eq!(PerMethod.key(&request), method);
            assert!(PerMethod.is_key(&request, method), "{path}");
            assert!(!PerMethod.is_key(&request, "shop.v1.Inventory/Put"), "{path}");
            assert_eq!(PerService.key(&request), service);
        }
    }
}
