//! A proxy between the browser and the page, which can answer 502 and fall silent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the proxy does with connections.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    Forwards,
    /// It ends its connections, and answers new ones with 502, as during a deployment.
    BadGateway,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    /// The number of times that connections were ended, or fell silent.
    cuts: watch::Sender<(usize, bool)>,
    refused: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy {
            address: listener.local_addr().unwrap(),
            mood: Arc::new(Mutex::new(Mood::Forwards)),
            cuts: watch::Sender::new((0, false)),
            refused: Arc::default(),
        };
        let own = proxy.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(own.clone().connection(stream, server));
            }
        });
        proxy
    }

    /// The number of requests that were answered with 502.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
        if mood == Mood::BadGateway {
            self.cuts.send_modify(|cuts| *cuts = (cuts.0 + 1, false));
        }
    }

    /// Keeps the connections open and forwards nothing more, as after a laptop's sleep. New ones are forwarded.
    pub(crate) fn silence(&self) {
        self.cuts.send_modify(|cuts| *cuts = (cuts.0 + 1, true));
    }

    async fn connection(self, mut stream: TcpStream, server: SocketAddr) {
        let mut cuts = self.cuts.subscribe();
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::BadGateway {
            let _request = stream.read(&mut [0; 4_096]).await;
            self.refused.fetch_add(1, Ordering::SeqCst);
            let answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            // The browser may be gone.
            let _ = stream.write_all(answer).await;
            return;
        }
        let Ok(mut upstream) = TcpStream::connect(server).await else { return };
        let silent = tokio::select! {
            _ = copy_bidirectional(&mut stream, &mut upstream) => false,
            _ = cuts.changed() => cuts.borrow().1,
        };
        if silent {
            std::future::pending::<()>().await;
        }
    }
}
