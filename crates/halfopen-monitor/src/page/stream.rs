//! The stream of updates.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use halfopen::StateChange;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::PageRoutes;
use crate::alert::Alert;
use crate::dashboard::{DashboardData, Overview, ServiceData};
use crate::monitor::Shared;
use crate::notify::NotifierStatus;

/// The time between two updates: however many events there are, a page draws this often.
const FRAME: Duration = Duration::from_millis(500);

/// Without changes, an update is sent this often: a page that gets none knows that its connection is dead.
const HEARTBEAT: u32 = 10;

/// The state of one connection.
struct Viewer {
    shared: Arc<Shared>,
    /// What the page has of each breaker.
    shown: HashMap<Arc<str>, ServiceData>,
    /// The number of changes that it has.
    changes: u64,
    alerts: (usize, usize, u64),
    ended: watch::Receiver<u64>,
    next: Instant,
    silent: u32,
    first: bool,
    /// Whether the page has changes of this process.
    resumed: bool,
}

#[derive(Serialize)]
struct Update<'a> {
    overview: Overview,
    /// The breakers that differ from the last update; all in the first.
    services: Vec<&'a ServiceData>,
    /// Those that are gone.
    gone: Vec<Arc<str>>,
    /// The changes since the last update.
    history: &'a [StateChange],
    /// Whether changes between the last one of the page and these are lost.
    lost: bool,
    firing: &'a [Alert],
    audit: &'a [String],
    notifiers: &'a [NotifierStatus],
    /// Whether `services` replaces all that the page has.
    whole: bool,
    /// Whether `history` replaces all that the page has: it has none of this process.
    whole_history: bool,
}

pub(super) async fn events(
    State(routes): State<Arc<PageRoutes>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    // By a header if the browser connects again, by the query if the page does.
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = header.or_else(|| query.as_deref().and_then(|query| query.strip_prefix("after=")));
    let shared = Arc::clone(&routes.shared);
    // An id of another process is of no use: its numbers begin anew.
    let known: Option<u64> =
        last.and_then(|id| id.strip_prefix(&format!("{}-", shared.process()))?.parse().ok());
    let viewer = Viewer {
        changes: known.unwrap_or(0),
        ended: shared.page().ended.subscribe(),
        shared,
        shown: HashMap::new(),
        alerts: (0, 0, 0),
        next: Instant::now(),
        silent: 0,
        first: true,
        resumed: known.is_some(),
    };
    let events = stream::unfold(viewer, |mut viewer| async {
        let event = viewer.next_event().await?;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    let mut response = Sse::new(events).into_response();
    // Proxies would gather the events otherwise.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Viewer {
    /// Returns the next update, or [`None`] when the streams are ended.
    async fn next_event(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                () = sleep_until(self.next) => {}
                // An error: the monitor is gone.
                _ = self.ended.changed() => return None,
            }
            self.next = Instant::now() + FRAME;
            // Shared by all pages: ten viewers cost no more than one.
            let frame = self.shared.frame(FRAME);
            if let Some(event) = self.update(&frame.0, frame.1) {
                return Some(event);
            }
        }
    }

    fn update(&mut self, data: &DashboardData, changes: u64) -> Option<Event> {
        let changed: Vec<&ServiceData> =
            data.services.iter().filter(|service| !self.shows(service)).collect();
        let is_there = |name: &Arc<str>| data.services.binary_search_by(|one| one.name.cmp(name)).is_ok();
        let gone: Vec<Arc<str>> = self.shown.keys().filter(|name| !is_there(name)).cloned().collect();
        let alerts = (data.alerts.firing.len(), data.audit.len(), changes);
        self.silent += 1;
        let nothing = changed.is_empty() && gone.is_empty() && alerts == self.alerts;
        if nothing && !self.first && self.silent < HEARTBEAT {
            return None;
        }
        let new = usize::try_from(changes.saturating_sub(self.changes)).unwrap_or(usize::MAX);
        let history = &data.history[data.history.len().saturating_sub(new)..];
        let update = Update {
            overview: data.overview,
            services: changed,
            gone: gone.clone(),
            history,
            lost: new > history.len(),
            firing: &data.alerts.firing,
            audit: &data.audit,
            notifiers: &data.notifiers,
            whole: self.first,
            whole_history: self.first && !self.resumed,
        };
        let event =
            Event::default().id(format!("{}-{changes}", self.shared.process())).json_data(&update).ok();
        for service in update.services {
            self.shown.insert(Arc::clone(&service.name), service.clone());
        }
        gone.iter().for_each(|name| drop(self.shown.remove(name)));
        (self.changes, self.alerts, self.silent, self.first) = (changes, alerts, 0, false);
        event
    }

    /// Returns whether the page has this row. Times are left out: the page counts them itself.
    fn shows(&self, service: &ServiceData) -> bool {
        self.shown.get(&service.name).is_some_and(|shown| shown.is_like(service))
    }
}
