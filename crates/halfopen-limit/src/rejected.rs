use std::sync::Arc;
use std::time::Duration;

use halfopen::{RejectReason, Rejected};

pub(crate) fn bulkhead_full(name: &Arc<str>, in_flight: u32, waiting: u32) -> Rejected {
    Rejected::bulkhead_full(Arc::clone(name), in_flight, waiting)
}

pub(crate) fn rate_limited(name: &Arc<str>, retry_after: Option<Duration>) -> Rejected {
    Rejected::new(Arc::clone(name), RejectReason::RateLimited, retry_after)
}
