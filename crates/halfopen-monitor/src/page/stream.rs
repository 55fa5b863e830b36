//! The stream of frames.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::PageRoutes;
use super::frames::Viewer;

pub(super) async fn events(
    State(routes): State<Arc<PageRoutes>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    // By a header if the browser connects again, by the query if the page does.
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = header.or_else(|| query.as_deref().and_then(|query| query.strip_prefix("after=")));
    let viewer = Viewer::new(Arc::clone(&routes.shared), last);
    let events = stream::unfold(viewer, |mut viewer| async {
        let (id, text) = viewer.next().await?;
        Some((Ok::<_, Infallible>(Event::default().id(id).data(&*text)), viewer))
    });
    let mut response = Sse::new(events).into_response();
    // Proxies would gather the events otherwise.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
