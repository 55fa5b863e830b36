//! How a circuit breaker is put around the clients of others: each file is a code block of the guide's page.

pub mod async_openai;
pub mod aws;
pub mod etcd;
pub mod hyper_util;
pub mod kube;
pub mod oauth2;
pub mod octocrab;
pub mod otlp;
pub mod ureq;
