use std::fmt;
#[cfg(feature = "config")]
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use foldhash::{HashMap, HashMapExt};
use halfopen::{ConfigError, ConfigProblem, Registry};
use tower_layer::Layer;

use crate::pattern;
use crate::route::Protected;
use crate::{Route, RouteProtectionService};

/// Builds the layer that protects routes of an axum [`Router`](axum::Router), each by its template.
///
/// A pattern is the whole path of a route as it was given to the router, prefixes of
/// [`nest`](axum::Router::nest) included: `/api/v1/query/{*rest}`. It is compared with the request's
/// [`MatchedPath`](axum::extract::MatchedPath), never with the path itself, so no client can make up names. A
/// request whose route has no pattern, or that no route matches, passes untouched.
///
/// It is a layer itself, as routers are built without `?`; [`build`](Self::build) returns an invalid pattern or limit
/// as an error, where the layer panics.
///
/// What happens to a call:
///
/// - A 5xx response is a failure, every other one a success, each once its body has ended; a body that breaks
///   is a failure. The response to a [`Rejection`](crate::Rejection) is ignored.
/// - A client that leaves early makes an abandoned call; neither success nor failure. A server sees this only
///   when it reads from the connection: with an unread request body or a pipelined request the handler runs on
///   and its outcome counts.
/// - A panic is a failure and goes on unchanged.
///
/// # Examples
///
/// ```
/// use axum::Router;
/// use axum::http::{Request, StatusCode};
/// use axum::routing::get;
/// use halfopen::Registry;
/// use halfopen_axum::{Route, RouteProtection};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), halfopen::BoxError> {
/// let registry = Registry::new();
/// let protection = RouteProtection::new(registry.clone())
///     .route("/query/{*rest}", Route::breaker("query_handler").max_concurrent_calls(50));
/// let app: Router = Router::new().route("/query/{*rest}", get(|| async { "3 rows" })).layer(protection);
///
/// registry.get_or_create("query_handler").force_open();
/// let response = app.oneshot(Request::get("/query/orders").body(String::new())?).await?;
/// assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given to a router"]
// One pointer: a router that has no state yet clones its layers for each request.
pub struct RouteProtection(Arc<Plan>);

struct Plan {
    registry: Registry,
    routes: Vec<(Arc<str>, Route)>,
    /// Of all services and clones, so that they share their limits: a router asks for a service per route.
    built: OnceLock<RouteProtectionLayer>,
}

/// Protects routes of an axum [`Router`](axum::Router): built by [`RouteProtection`], for
/// [`Router::layer`](axum::Router::layer).
///
/// A router makes a service per route and may do so per request; all of them and all clones of the layer share
/// their limits and the registry.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given to a router"]
pub struct RouteProtectionLayer(Arc<Routes>);

pub(crate) struct Routes {
    registry: Registry,
    by_pattern: RwLock<ByPattern>,
    changes: AtomicU64,
}

type ByPattern = HashMap<Arc<str>, Arc<Protected>>;

impl RouteProtection {
    /// A protection whose breakers are of this registry.
    pub fn new(registry: Registry) -> RouteProtection {
        RouteProtection::planned(registry, Vec::new())
    }

    /// Adds the route with this pattern.
    pub fn route(self, pattern: impl Into<Arc<str>>, route: Route) -> RouteProtection {
        // Without a clone as long as the plan is not shared, as while it is being built.
        let (registry, mut routes) = self.into_parts();
        routes.push((pattern.into(), route));
        RouteProtection::planned(registry, routes)
    }

    /// Builds the layer, and the breakers of its routes that the registry does not have yet.
    ///
    /// # Errors
    ///
    /// Every pattern that is no path of axum or that an earlier route has, and every limit out of its range.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Registry;
    /// use halfopen_axum::{Route, RouteProtection};
    ///
    /// let error = RouteProtection::new(Registry::new())
    ///     .route("/query/:id", Route::breaker("query_handler"))
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "`routes.pattern` is `/query/:id`, but must be in the syntax of axum 0.8: `{id}` instead of `:id`",
    /// );
    /// ```
    pub fn build(self) -> Result<RouteProtectionLayer, ConfigError> {
        let registry = self.0.registry.clone();
        let (by_pattern, changes) = (RwLock::default(), AtomicU64::new(0));
        let layer = RouteProtectionLayer(Arc::new(Routes { registry, by_pattern, changes }));
        layer.set_routes(self)?;
        Ok(layer)
    }

    fn planned(registry: Registry, routes: Vec<(Arc<str>, Route)>) -> RouteProtection {
        RouteProtection(Arc::new(Plan { registry, routes, built: OnceLock::new() }))
    }

    fn into_parts(self) -> (Registry, Vec<(Arc<str>, Route)>) {
        match Arc::try_unwrap(self.0) {
            Ok(Plan { registry, routes, .. }) => (registry, routes),
            Err(shared) => (shared.registry.clone(), shared.routes.clone()),
        }
    }

    fn protected(self) -> Result<HashMap<Arc<str>, Protected>, ConfigError> {
        let mut problems = Vec::new();
        let (_, routes) = self.into_parts();
        let mut by_pattern: HashMap<Arc<str>, Protected> = HashMap::with_capacity(routes.len());
        for (pattern, route) in routes {
            let taken =
                || by_pattern.contains_key(&pattern).then(|| "a pattern that no other route has".into());
            if let Some(range) = pattern::problem(&pattern).or_else(taken) {
                problems.push(ConfigProblem::new("routes.pattern", format!("`{pattern}`"), range));
            }
            let route = route.build(&pattern, &mut problems);
            by_pattern.insert(pattern, route);
        }
        ConfigError::check(problems)?;
        Ok(by_pattern)
    }
}

impl RouteProtectionLayer {
    /// Replaces the routes under running requests.
    ///
    /// The breakers are those of the layer's registry, whatever registry `protection` has. A route that stays, with
    /// its pattern and its breaker, keeps its own bulkhead and its own rate limit with the calls that they have
    /// counted, and gives them the new numbers. Requests in flight keep the route that they began with.
    ///
    /// # Errors
    ///
    /// As [`RouteProtection::build`]; nothing is changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Registry;
    /// use halfopen_axum::{Route, RouteProtection};
    ///
    /// # fn main() -> Result<(), halfopen::ConfigError> {
    /// let registry = Registry::new();
    /// let query = Route::breaker("query").max_concurrent_calls(50);
    /// let layer = RouteProtection::new(registry.clone()).route("/query/{*rest}", query).build()?;
    /// // The layer is given to a router, and a clone is kept:
    /// let query = Route::breaker("query").max_concurrent_calls(20);
    /// layer.set_routes(RouteProtection::new(registry).route("/query/{*rest}", query))?;
    /// # Ok(()) }
    /// ```
    pub fn set_routes(&self, protection: RouteProtection) -> Result<(), ConfigError> {
        let mut routes = protection.protected()?;
        for route in routes.values() {
            // Created now, so that status pages show a route before its first request.
            self.0.registry.get_or_create(route.breaker());
        }
        let before = {
            let mut by_pattern = self.0.by_pattern.write().unwrap_or_else(PoisonError::into_inner);
            for (pattern, route) in &mut routes {
                if let Some(before) = by_pattern.get(pattern) {
                    route.adopt(before);
                }
            }
            let now = routes.into_iter().map(|(pattern, route)| (pattern, Arc::new(route))).collect();
            // All routes together: a request sees either the old table or the new one.
            let before = std::mem::replace(&mut *by_pattern, now);
            // Release, paired with the Acquire in `changes`: a thread that sees the count finds the new routes.
            self.0.changes.fetch_add(1, Ordering::Release);
            before
        };
        // After the lock: fallbacks are user code, and so is their drop.
        drop(before);
        Ok(())
    }
}

#[cfg(feature = "config")]
impl RouteProtectionLayer {
    pub(crate) fn downgrade(&self) -> Weak<Routes> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(routes: &Weak<Routes>) -> Option<RouteProtectionLayer> {
        routes.upgrade().map(RouteProtectionLayer)
    }
}

impl Routes {
    pub(crate) fn get(&self, template: &str) -> Option<Arc<Protected>> {
        self.read().get(template).cloned()
    }

    /// Returns how often the routes were changed.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        // Acquire, paired with the increment after a change: a reader of the new number finds the new routes.
        self.changes.load(Ordering::Acquire)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    fn read(&self) -> RwLockReadGuard<'_, ByPattern> {
        self.by_pattern.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// # Panics
///
/// `layer` panics if [`build`](RouteProtection::build) would return an error, as [`Router::route`](axum::Router::route)
/// does for a path that cannot be one.
impl<S> Layer<S> for RouteProtection {
    type Service = RouteProtectionService<S>;

    fn layer(&self, inner: S) -> RouteProtectionService<S> {
        // Built once, although axum calls `layer` for each route: all of them must share the limits.
        let built = self.0.built.get_or_init(|| match self.clone().build() {
            Ok(layer) => layer,
            Err(error) => panic!("the protection of the routes is invalid: {error}"),
        });
        built.layer(inner)
    }
}

impl<S> Layer<S> for RouteProtectionLayer {
    type Service = RouteProtectionService<S>;

    fn layer(&self, inner: S) -> RouteProtectionService<S> {
        RouteProtectionService::new(inner, Arc::clone(&self.0))
    }
}

impl fmt::Debug for RouteProtection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteProtection").field("routes", &self.0.routes).finish_non_exhaustive()
    }
}

impl fmt::Debug for RouteProtectionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.0.read();
        let mut patterns: Vec<_> = routes.keys().collect();
        patterns.sort();
        f.debug_struct("RouteProtectionLayer").field("patterns", &patterns).finish_non_exhaustive()
    }
}
