use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::{Buf, BufMut};
use halfopen::adapter::{with_causes, without_passwords};
use http::uri::PathAndQuery;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};

use super::Answer;

const CHECK: PathAndQuery = PathAndQuery::from_static("/grpc.health.v1.Health/Check");

/// A server, and the service that is asked about.
#[derive(Clone)]
pub(crate) struct GrpcTarget {
    uri: String,
    service: String,
    /// Made by the first check: a channel needs a runtime.
    channel: Arc<OnceLock<Channel>>,
}

impl GrpcTarget {
    pub(crate) fn new(uri: String, service: String) -> GrpcTarget {
        GrpcTarget { uri, service, channel: Arc::default() }
    }

    pub(crate) fn of(channel: Channel, service: String) -> GrpcTarget {
        GrpcTarget { uri: String::new(), service, channel: Arc::new(OnceLock::from(channel)) }
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        let given = self.channel.get().is_some();
        let valid = given || self.endpoint().is_ok_and(|endpoint| endpoint.uri().authority().is_some());
        if valid {
            Ok(())
        } else {
            Err(format!(
                "grpc is {:?}, but must be a URI such as http://db:50051",
                without_passwords(&self.uri)
            ))
        }
    }

    fn endpoint(&self) -> Result<Endpoint, String> {
        Endpoint::from_shared(self.uri.clone()).map_err(|error| with_causes(&error))
    }

    pub(super) async fn ask(self) -> Answer {
        let channel = match self.channel.get() {
            Some(channel) => channel.clone(),
            None => {
                let channel = self.endpoint()?.connect_lazy();
                self.channel.get_or_init(|| channel).clone()
            }
        };
        let mut client = Grpc::new(channel);
        client.ready().await.map_err(|error| with_causes(&error))?;
        let request = tonic::Request::new(self.service.clone());
        let reply = client.unary(request, CHECK, HealthCodec).await;
        match reply.map(tonic::Response::into_inner) {
            Ok(SERVING) => Ok(()),
            Ok(status) => Err(format!("the service is {}", name_of(status))),
            Err(status) => Err(describe(&status)),
        }
    }
}

impl PartialEq for GrpcTarget {
    fn eq(&self, other: &GrpcTarget) -> bool {
        let same_server =
            Arc::ptr_eq(&self.channel, &other.channel) || (!self.uri.is_empty() && self.uri == other.uri);
        same_server && self.service == other.service
    }
}

impl fmt::Debug for GrpcTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grpc {} {}", without_passwords(&self.uri), self.service)
    }
}

fn describe(status: &Status) -> String {
    let code = format!("{:?}", status.code());
    if status.message().is_empty() { code } else { format!("{code}: {}", status.message()) }
}

/// `HealthCheckResponse.ServingStatus`.
const SERVING: u64 = 1;

fn name_of(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        SERVING => "SERVING".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => format!("{other}, an unknown status"),
    }
}

/// The two messages of the protocol, by hand: each has one field, and a code generator would cost ten crates.
#[derive(Clone, Copy)]
struct HealthCodec;

impl Codec for HealthCodec {
    type Encode = String;
    type Decode = u64;
    type Encoder = HealthCodec;
    type Decoder = HealthCodec;

    fn encoder(&mut self) -> HealthCodec {
        HealthCodec
    }

    fn decoder(&mut self) -> HealthCodec {
        HealthCodec
    }
}

impl Encoder for HealthCodec {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, service: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        encode(&service, buffer);
        Ok(())
    }
}

impl Decoder for HealthCodec {
    type Item = u64;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<u64>, Status> {
        decode(buffer).map(Some).ok_or_else(|| Status::internal("the reply is not a HealthCheckResponse"))
    }
}

/// `HealthCheckRequest { string service = 1; }`
fn encode(service: &str, buffer: &mut impl BufMut) {
    if service.is_empty() {
        return;
    }
    buffer.put_u8(1 << 3 | 2);
    let mut length = service.len();
    while length >= 0x80 {
        buffer.put_u8(length as u8 | 0x80);
        length >>= 7;
    }
    buffer.put_u8(length as u8);
    buffer.put_slice(service.as_bytes());
}

/// `HealthCheckResponse { ServingStatus status = 1; }`; the last of several values holds, unknown fields are skipped.
fn decode(buffer: &mut impl Buf) -> Option<u64> {
    let mut status = 0;
    while buffer.has_remaining() {
        let tag = varint(buffer)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = varint(buffer)?,
            (_, 0) => drop(varint(buffer)?),
            (_, 1) => skip(buffer, 8)?,
            (_, 2) => {
                let length = usize::try_from(varint(buffer)?).ok()?;
                skip(buffer, length)?;
            }
            (_, 5) => skip(buffer, 4)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(buffer: &mut impl Buf) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        if !buffer.has_remaining() {
            return None;
        }
        let byte = buffer.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn skip(buffer: &mut impl Buf, length: usize) -> Option<()> {
    (buffer.remaining() >= length).then(|| buffer.advance(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_protobuf() {
        let mut request = Vec::new();
        encode(&"s".repeat(200), &mut request);
        assert_eq!(request[..4], [0x0a, 0xc8, 0x01, b's']);
        assert_eq!(request.len(), 203);
        assert_eq!(decode(&mut &[0x08, 0x01][..]), Some(SERVING));
        assert_eq!(decode(&mut &[][..]), Some(0));
        assert_eq!(decode(&mut &[0x12, 0x02, 9, 9, 0x08, 0x02][..]), Some(2), "an unknown field is skipped");
    }

    #[test]
    fn bytes_of_another_message_are_no_status() {
        for bytes in [&[0x08][..], &[0x08, 0x80], &[0x12, 0x05, 1], &[0x0b], &[0xff; 12]] {
            assert_eq!(decode(&mut &bytes[..]), None, "{bytes:?}");
        }
    }
}
