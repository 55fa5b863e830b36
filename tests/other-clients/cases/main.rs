//! Each recipe of the guide's page "With other clients", against a real server on loopback: healthy, four
//! failures, open, rejected, the wait, healthy.

mod async_openai;
mod aws;
mod etcd;
mod hyper_util;
mod kube;
mod oauth2;
mod octocrab;
mod otlp;
mod server;
mod ureq;
mod world;
