use std::fmt;
use std::task::{Context, Poll};

use halfopen::{OwnedPermit, Rejected, adapter};
use halfopen_limit::{AcquireProtection, Protection, ProtectionPermit};

use crate::admission::{Admission, Readiness};
use crate::limit::{Begin, Limit};
use crate::sealed::Sealed;

/// The breaker that a [`Protection`] has at the time of a call.
#[derive(Clone)]
pub struct Followed(pub(super) Protection);

impl Sealed for Followed {}

impl<Request> Admission<Request> for Followed {
    // The limits outside have asked the breaker already.
    fn poll_readiness(&mut self, _: &mut Context<'_>) -> Poll<Readiness> {
        Poll::Ready(Readiness::Ready)
    }

    fn acquire(&mut self, _: &Request) -> Result<OwnedPermit, Rejected> {
        adapter::into_permit(self.0.breaker())
    }

    fn acquire_unready(&mut self) -> Option<OwnedPermit> {
        adapter::acquire_if_permitted(&self.0.breaker())
    }
}

impl Sealed for Protection {}

impl<Request> Limit<Request> for Protection {
    type Permit = ProtectionPermit;
    type Acquire = AcquireProtection;

    fn is_permitting(&self) -> bool {
        Protection::is_permitting(self)
    }

    fn begin(&self, _: &Request) -> Begin<ProtectionPermit, AcquireProtection> {
        match self.acquire_if_permitted() {
            Some(permit) => Begin::Permitted(permit),
            None => Begin::Waiting(self.acquire()),
        }
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Followed").field(&self.0.name()).finish()
    }
}
