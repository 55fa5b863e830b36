use crate::sealed::Sealed;

/// The part of a request that is kept for its fallback.
///
/// Sealed; here so that a bound can be written.
pub trait Remember<Request>: Sealed {
    /// The part.
    type Part;

    /// Returns the part of the request.
    fn remember(&self, request: &Request) -> Self::Part;
}

/// Nothing is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

/// The return value of a function: [`FallbackLayer::remember`](crate::FallbackLayer::remember).
#[derive(Clone, Copy, Debug)]
pub struct Part<K>(pub(super) K);

impl Sealed for Nothing {}
impl<K> Sealed for Part<K> {}

impl<Request> Remember<Request> for Nothing {
    type Part = ();

    fn remember(&self, _: &Request) {}
}

impl<Request, P, K: Fn(&Request) -> P> Remember<Request> for Part<K> {
    type Part = P;

    fn remember(&self, request: &Request) -> P {
        (self.0)(request)
    }
}
