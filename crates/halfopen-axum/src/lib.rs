#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod body;
#[cfg(feature = "config")]
mod document;
mod future;
mod pattern;
mod place;
mod protection;
mod rejection;
mod route;
mod rules;
mod service;
mod status;

pub use future::RouteFuture;
#[doc(no_inline)]
pub use halfopen_http::HttpClassify;
pub use protection::{RouteProtection, RouteProtectionLayer};
pub use rejection::Rejection;
pub use route::Route;
pub use service::RouteProtectionService;
pub use status::{StatusRoutes, status_routes};
