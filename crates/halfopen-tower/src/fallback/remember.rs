use crate::sealed::Sealed;

/// Keeps a part of a request for its fallback.
///
/// This trait is sealed. It is public so that it can be named in bounds.
pub trait Remember<Request>: Sealed {
    /// The type of the part.
    type Part;

    /// Returns the part of `request`.
    fn remember(&self, request: &Request) -> Self::Part;
}

/// Keeps nothing of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

/// Keeps the return value of a function: [`FallbackLayer::remember`](crate::FallbackLayer::remember).
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
