//! The routes of a document.

use std::time::Duration;

use halfopen::ConfigError;
use halfopen_config::{Configuration, LiveRegistry, RateLimit, Route as Written};
use halfopen_limit::{Protections, Quota, QuotaBuilder};

use crate::{Route, RouteProtection, RouteProtectionLayer};

impl RouteProtectionLayer {
    /// Creates a layer with the routes of a document, which follows the document from now on.
    ///
    /// A route without limits of its own has those of its breaker, `bulkhead_config` and `rate_limit`, which it shares
    /// with everything that has the breaker's protection.
    ///
    /// # Errors
    ///
    /// As [`RouteProtection::build`]. A document that is applied later is checked before it is, so that every route
    /// of it can be built.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::Router;
    /// use axum::routing::get;
    /// use halfopen_axum::RouteProtectionLayer;
    /// use halfopen_config::{Format, LiveRegistry, Loader};
    ///
    /// # fn main() -> Result<(), halfopen::BoxError> {
    /// let document = r#"
    /// breakers:
    ///   query_handler: { trip: { consecutive_failures: 3 } }
    /// routes:
    ///   /api/v1/query/{*rest}:
    ///     breaker: query_handler
    ///     max_concurrent_calls: 50
    ///     fallback: { error: Service temporarily unavailable }
    /// "#;
    /// let live = LiveRegistry::new(Loader::new().text("breakers.yaml", Format::Yaml, document))?;
    /// let app: Router = Router::new()
    ///     .route("/api/v1/query/{*rest}", get(|| async { "3 rows" }))
    ///     .layer(RouteProtectionLayer::from_document(&live)?);
    /// # let _ = app;
    /// # Ok(()) }
    /// ```
    pub fn from_document(live: &LiveRegistry) -> Result<RouteProtectionLayer, ConfigError> {
        let protections = live.protections().clone();
        let layer = protection(&protections, &live.configuration()).build()?;
        let routes = layer.downgrade();
        live.on_apply(move |configuration| {
            // Weak, so that a router that is dropped is not kept alive by the document that it follows.
            let Some(layer) = RouteProtectionLayer::upgrade(&routes) else { return false };
            let replaced = layer.set_routes(protection(&protections, configuration));
            debug_assert!(replaced.is_ok(), "the document was checked: {replaced:?}");
            true
        });
        Ok(layer)
    }
}

fn protection(protections: &Protections, configuration: &Configuration) -> RouteProtection {
    let protection = RouteProtection::new(protections.registry().clone());
    let routes = &configuration.document().routes;
    routes.iter().fold(protection, |all, (path, written)| match route(protections, written) {
        Some(route) => all.route(path.as_str(), route),
        None => all,
    })
}

/// Returns the route; [`None`] without a breaker, which no document that was loaded has.
fn route(protections: &Protections, written: &Written) -> Option<Route> {
    let name = written.breaker.as_ref()?.value.as_str();
    let protection = protections.get(name);
    // The limits of the breaker, which every route without numbers of its own shares.
    let limits = protection.limits();
    let mut route = Route::breaker(name).held(protection);
    route = match (&written.max_concurrent_calls, limits.get_bulkhead()) {
        (Some(calls), _) => route.max_concurrent_calls(calls.value),
        (None, Some(bulkhead)) => route.bulkhead(bulkhead.clone()),
        (None, None) => route,
    };
    route = match (quota(&written.rate_limit), limits.get_rate_limiter()) {
        (Some(quota), _) => route.rate_limit(quota),
        (None, Some(limiter)) => route.rate_limiter(limiter.clone()),
        (None, None) => route,
    };
    Some(match &written.fallback {
        Some(fallback) => route.fallback(&fallback.value.0),
        None => route,
    })
}

fn quota(written: &RateLimit) -> Option<QuotaBuilder> {
    let RateLimit { calls, per, burst, .. } = written;
    let per: Duration = per.as_ref()?.value.0;
    let quota = Quota::calls(calls.as_ref()?.value).per(per);
    Some(match burst {
        Some(burst) => quota.burst(burst.value).map_or(quota, QuotaBuilder::from),
        None => quota,
    })
}
