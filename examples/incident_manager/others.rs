//! The services that the incident manager depends on, all in this process.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use halfopen::BoxError;
use http::{Request, Response as HttpResponse, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proto::inventory_server::{Inventory, InventoryServer};
use proto::{Article, Stock};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Response, Status};

#[allow(unreachable_pub, clippy::all, clippy::pedantic, reason = "generated from inventory.proto")]
pub(crate) mod proto {
    include!("../../tests/clients/tonic/proto/inventory.rs");
}

pub(crate) struct Others {
    pub(crate) sentinel: SocketAddr,
    pub(crate) updates: SocketAddr,
    pub(crate) pager: SocketAddr,
    inventory: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    are_away: AtomicBool,
    pages: Mutex<HashSet<String>>,
}

impl State {
    fn are_away(&self) -> bool {
        self.are_away.load(Ordering::Relaxed)
    }
}

impl Others {
    pub(crate) async fn start() -> Result<Others, BoxError> {
        let state = Arc::new(State::default());
        let sentinel = serve(&state, |stream, state| async move {
            let answer = |_: Request<Incoming>| async {
                let status = if state.are_away() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
                HttpResponse::builder().status(status).body("disk full\nmany errors\n".to_owned())
            };
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
        let updates = serve(&state, |mut stream, state| async move {
            if state.are_away() {
                // A reset, as a process that is killed leaves behind.
                let _ = stream.set_zero_linger();
            } else {
                let _ = stream.write_all(b"acknowledged\nassigned\nresolved\n").await;
            }
        });
        let pager = serve(&state, |stream, state| async move {
            let (mut stream, mut key) = (BufReader::new(stream), String::new());
            let is_read = !state.are_away() && stream.read_line(&mut key).await.is_ok();
            if is_read && stream.write_all(b"ok\n").await.is_ok() {
                state.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
            }
        });
        let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let inventory = incoming.local_addr()?;
        let service = InventoryServer::new(Machines(Arc::clone(&state)));
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        Ok(Others {
            sentinel: sentinel.await?,
            updates: updates.await?,
            pager: pager.await?,
            inventory,
            state,
        })
    }

    pub(crate) fn channel(&self) -> Result<Channel, BoxError> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.inventory))?;
        Ok(endpoint.timeout(Duration::from_secs(2)).connect_lazy())
    }

    pub(crate) fn set_away(&self, are_away: bool) {
        self.state.are_away.store(are_away, Ordering::Relaxed);
    }

    /// Returns how many different pages have arrived.
    pub(crate) fn pages(&self) -> usize {
        self.state.pages.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Answers every connection to a free port with `answer`.
async fn serve<F: Future<Output = ()> + Send + 'static>(
    state: &Arc<State>,
    answer: impl Fn(TcpStream, Arc<State>) -> F + Send + 'static,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, state) = (listener.local_addr()?, Arc::clone(state));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&state)));
        }
    });
    Ok(address)
}

struct Machines(Arc<State>);

#[tonic::async_trait]
impl Inventory for Machines {
    async fn count(&self, request: tonic::Request<Article>) -> Result<Response<Stock>, Status> {
        if self.0.are_away() {
            return Err(Status::unavailable("the server restarts"));
        }
        Ok(Response::new(Stock { pieces: request.get_ref().name.len() as u32 }))
    }
}
