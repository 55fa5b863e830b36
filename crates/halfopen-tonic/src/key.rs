use std::borrow::Cow;

use halfopen_tower::Key;
use http::Request;

/// One breaker per method, named `package.Service/Method`:
/// [`GrpcCircuitBreakerLayer::per_method`](crate::GrpcCircuitBreakerLayer::per_method).
#[derive(Clone, Copy, Debug, Default)]
pub struct PerMethod;

/// One breaker per service, named `package.Service`:
/// [`GrpcCircuitBreakerLayer::per_service`](crate::GrpcCircuitBreakerLayer::per_service).
#[derive(Clone, Copy, Debug, Default)]
pub struct PerService;

impl<B> Key<Request<B>> for PerMethod {
    fn key<'a>(&self, request: &'a Request<B>) -> Cow<'a, str> {
        Cow::Borrowed(method_of(request.uri().path()))
    }
}

impl<B> Key<Request<B>> for PerService {
    fn key<'a>(&self, request: &'a Request<B>) -> Cow<'a, str> {
        let method = method_of(request.uri().path());
        Cow::Borrowed(method.split_once('/').map_or(method, |(service, _)| service))
    }
}

/// The last two segments of a path. Of the path, because a server sees no `GrpcMethod`; the last two,
/// because a client's origin can put a prefix before them.
fn method_of(path: &str) -> &str {
    let mut slashes = path.rmatch_indices('/').map(|(at, _)| at);
    let second_last = slashes.nth(1);
    second_last.map_or(path.trim_start_matches('/'), |at| &path[at + 1..])
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
            assert_eq!(PerService.key(&request), service);
        }
    }
}
