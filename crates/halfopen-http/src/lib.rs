#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod body;
mod call;
mod cause;
mod code;
mod deadline;
mod error;
mod grpc;
mod grpc_web;
mod head;
mod host;
mod lookup;
mod rejected;
mod retry_after;
mod retry_info;
mod status;

pub use body::WatchedBody;
pub use call::WatchedCall;
pub use cause::{TypedErrors, as_error, is_local, is_timeout};
pub use code::GrpcCode;
pub use deadline::grpc_timeout;
pub use error::RuleError;
pub use grpc::GrpcClassify;
pub use head::{ClassifyHead, Head};
pub use host::host_key;
pub use rejected::rejected_response;
pub use retry_after::{retry_after, retry_after_now, retry_hint};
pub use status::HttpClassify;
