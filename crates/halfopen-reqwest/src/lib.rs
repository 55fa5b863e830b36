#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod body;
mod breakers;
mod classify;
mod error;
mod future;
mod host;
mod middleware;
mod redirect;
mod resilient;
mod rules;
#[cfg(feature = "services")]
mod services;

pub use breakers::BreakerName;
pub use classify::{ReqwestClassify, TypedErrors};
#[doc(no_inline)]
pub use halfopen_http::HttpClassify;
pub use middleware::CircuitBreakerMiddleware;
pub use redirect::{follow_if_permitted, redirect_policy};
pub use resilient::{ResilientHttpClient, ResilientHttpClientBuilder};
#[cfg(feature = "services")]
pub use services::{
    CallError, RegisterError, Service, ServiceClient, ServiceKeys, Services, ServicesSection, UnknownService,
};
