use tokio::net::TcpStream;

use super::Answer;

pub(crate) fn validate(address: &str) -> Result<(), String> {
    let valid = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if valid {
        Ok(())
    } else {
        Err(format!("tcp is {address:?}, but must be a host and a port such as db:5432"))
    }
}

pub(super) async fn ask(address: &str) -> Answer {
    TcpStream::connect(address).await.map(drop).map_err(|error| format!("{address}: {error}"))
}
