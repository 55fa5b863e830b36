//! Run it: cargo run --example reqwest_tower --features reqwest
//!
//! A `reqwest::Client` is a tower `Service`, and so is a `ClientWithMiddleware`: the breaker's tower layer
//! wraps either directly, in a stack with any other layer.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::net::SocketAddr;
use std::time::Duration;

use halfopen::{BoxError, CircuitBreaker, CircuitBreakerConfig, Trip};
use halfopen_reqwest::ReqwestClassify;
use halfopen_tower::{CircuitBreakerLayer, ClassifiedLayer};
use reqwest::{Method, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let server = overloaded().await?;
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build()?;
    let with_middleware: ClientWithMiddleware = ClientBuilder::new(http.clone()).build();

    println!("over a reqwest::Client");
    call(ServiceBuilder::new().layer(layer("bare")?).service(http), server).await?;
    println!("over a ClientWithMiddleware");
    call(ServiceBuilder::new().layer(layer("with middleware")?).service(with_middleware), server).await
}

fn layer(name: &str) -> Result<ClassifiedLayer<ReqwestClassify>, halfopen::ConfigError> {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(2)).build()?;
    let breaker = CircuitBreaker::new(name.to_owned(), config);
    Ok(CircuitBreakerLayer::new(breaker).classify(ReqwestClassify::new()))
}

async fn call<S>(mut client: S, server: SocketAddr) -> Result<(), BoxError>
where
    S: Service<Request, Response = Response, Error = BoxError>,
{
    for _ in 0..4 {
        let request = Request::new(Method::GET, format!("http://{server}/").parse()?);
        match client.ready().await?.call(request).await {
            Ok(response) => println!("  {}", response.status()),
            Err(error) => println!("  {error}"),
        }
    }
    Ok(())
}

/// A server that answers every request with 503.
async fn overloaded() -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let answer =
            b"HTTP/1.1 503 Busy\r\nretry-after: 20\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        while let Ok((mut stream, _)) = listener.accept().await {
            // Errors are ignored: the client has closed the connection early.
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    Ok(address)
}
