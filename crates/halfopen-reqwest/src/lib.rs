#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod body;
mod breakers;
mod classify;
mod error;
mod host;
mod middleware;
mod redirect;
mod resilient;
mod rules;

pub use breakers::BreakerName;
pub use classify::{ReqwestClassify, TypedErrors};
#[doc(no_inline)]
pub use halfopen_http::HttpClassify;
pub use middleware::CircuitBreakerMiddleware;
pub use redirect::{follow_if_permitted, redirect_policy};
pub use resilient::{ResilientHttpClient, ResilientHttpClientBuilder};
