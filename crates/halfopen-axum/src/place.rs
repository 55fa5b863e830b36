use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::extract::MatchedPath;
use axum::response::Response;
use halfopen::adapter::{Lookup, into_permit};
use halfopen::{OwnedPermit, Rejected};
use halfopen_http::WatchedCall;
use halfopen_limit::BulkheadPermit;
use http::Request;

use crate::protection::Routes;
use crate::route::Protected;

/// The place of a service in its router: the protection of the route whose requests it gets.
///
/// A router makes a service per route, so the route and its breaker are looked up once and kept until the routes or
/// the registry change.
pub(crate) struct Place {
    routes: Arc<Routes>,
    kept: ArcSwapOption<Kept>,
}

/// The result of a look-up.
struct Kept {
    template: Arc<str>,
    /// The number of changes of the routes before the look-up.
    changes: u64,
    /// [`None`] if no pattern is this template.
    protected: Option<Found>,
}

struct Found {
    route: Arc<Protected>,
    /// [`None`] if the registry must be asked for each call.
    breaker: Option<Lookup>,
}

/// The decision of the limits and the breaker.
pub(crate) enum Admitted {
    Unprotected,
    Permitted(Permitted),
    Answered(Response),
}

/// A permitted call that is not yet settled.
pub(crate) struct Permitted {
    pub(crate) call: WatchedCall,
    pub(crate) slot: Option<BulkheadPermit>,
    pub(crate) route: Arc<Protected>,
}

impl Place {
    pub(crate) fn new(routes: Arc<Routes>) -> Place {
        Place { routes, kept: ArcSwapOption::empty() }
    }

    #[inline]
    pub(crate) fn admit<B>(&self, request: &Request<B>) -> Admitted {
        // By the template and not the path: names that come from outside would fill the registry.
        let Some(template) = request.extensions().get::<MatchedPath>() else { return Admitted::Unprotected };
        let kept = self.kept.load();
        let Some(kept) = kept.as_deref().filter(|kept| kept.is_current(&self.routes)) else {
            return self.admit_anew_slow(template.as_str());
        };
        match &kept.protected {
            _ if *kept.template != *template.as_str() => self.admit_other_slow(template.as_str()),
            None => Admitted::Unprotected,
            Some(Found { route, breaker: Some(found) }) => {
                admit(route, || found.breaker().try_acquire_owned())
            }
            Some(Found { route, breaker: None }) => self.admit_by_name(route),
        }
    }

    /// Looks the route up and keeps it.
    #[cold]
    #[inline(never)]
    fn admit_anew_slow(&self, template: &str) -> Admitted {
        // Read before the routes: a change in between makes the look-up outdated.
        let changes = self.routes.changes();
        let protected = self.routes.get(template).map(|route| {
            let breaker = Lookup::new(self.routes.registry(), route.breaker());
            Found { route, breaker }
        });
        self.kept.store(Some(Arc::new(Kept { template: template.into(), changes, protected })));
        self.admit_other_slow(template)
    }

    /// Looks the route up for one request: a service that several routes share keeps that of the first.
    #[inline(never)]
    fn admit_other_slow(&self, template: &str) -> Admitted {
        match self.routes.get(template) {
            None => Admitted::Unprotected,
            Some(route) => self.admit_by_name(&route),
        }
    }

    /// Asks the breaker that the registry has now: it may have been replaced or evicted.
    fn admit_by_name(&self, route: &Arc<Protected>) -> Admitted {
        admit(route, || into_permit(self.routes.registry().get_or_create(route.breaker())))
    }
}

impl Kept {
    #[inline]
    fn is_current(&self, routes: &Routes) -> bool {
        let found = self.protected.as_ref().and_then(|found| found.breaker.as_ref());
        self.changes == routes.changes() && found.is_none_or(|found| found.is_current(routes.registry()))
    }
}

#[inline]
fn admit(route: &Arc<Protected>, acquire: impl FnOnce() -> Result<OwnedPermit, Rejected>) -> Admitted {
    // The breaker last: a permit for a call that a limit then rejects would end as abandoned, and take a probe's slot.
    match route.enter().and_then(|slot| Ok((acquire()?, slot))) {
        Ok((permit, slot)) => {
            Admitted::Permitted(Permitted { call: WatchedCall::new(permit), slot, route: Arc::clone(route) })
        }
        Err(rejected) => Admitted::Answered(route.reject_slow(rejected)),
    }
}
