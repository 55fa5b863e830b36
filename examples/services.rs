//! Run it: cargo run --example services --features services
//!
//! Services by name: a document has their URLs and the settings of their breakers, and moves one to another server
//! while it runs.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::net::SocketAddr;

use halfopen::BoxError;
use halfopen_config::{CircuitType, Format, LiveRegistry, Loader, Overrides, ServiceType, Templates};
use halfopen_reqwest::{Services, ServicesSection};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (healthy, failing) = (serve(StatusCode::OK).await?, serve(StatusCode::SERVICE_UNAVAILABLE).await?);
    let document = |server: SocketAddr| {
        format!(
            "services: {{ inventory: {{ base_url: \"http://{server}/v1\" }} }}\n\
             breakers: {{ inventory: {{ template: external_api, circuit_type: count_based, call_timeout: 2s }} }}\n"
        )
    };
    let loader = Loader::new().section::<ServicesSection>();
    let live = LiveRegistry::new(loader.text("services.yaml", Format::Yaml, document(failing)))?;
    let services = Services::with_client(live.clone(), reqwest::Client::builder().no_proxy())?;

    let url = format!("http://{healthy}");
    let values = Overrides::new().set("circuit_type", "time_based").set("call_timeout", "30s");
    services.register("payment_service", &url, "external_api", values)?;
    let paid = services.get("payment_service")?.post("/charge").body("amount=100").send().await?;
    println!("payment_service: {}", paid.status());

    for _ in 0..6 {
        match services.get("inventory")?.get("/items/7").send().await {
            Ok(response) => println!("inventory: {}", response.status()),
            Err(error) => println!("inventory: {error:#}"),
        }
    }
    println!("{}", live.apply(Format::Yaml, &document(healthy))?);
    services.get("inventory")?.breaker().reset();
    let text =
        services.call("inventory", |client| async move { client.get("/items/7").send().await?.text().await });
    println!("inventory: {}", text.await?);

    if let Err(unknown) = services.get("inventroy") {
        println!("{unknown}");
    }
    let claude =
        Templates::of(ServiceType::Ai, "claude").circuit_type(CircuitType::Adaptive).get_or_create(&live)?;
    println!("{}", claude.explain());
    Ok(())
}

/// A server that always answers with this status.
async fn serve(status: StatusCode) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = move |request: Request<Incoming>| async move {
                Response::builder().status(status).body(format!("{} {}", request.method(), request.uri()))
            };
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
    Ok(address)
}
