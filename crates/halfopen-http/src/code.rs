use http::{HeaderMap, StatusCode};

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum GrpcCode {
    /// The call succeeded.
    Ok = 0,
    /// The caller (or a timer on its behalf) cancelled the call.
    Cancelled = 1,
    /// An error of no known kind; also an answer without a status.
    Unknown = 2,
    /// The request makes no sense, whatever the state of the server.
    InvalidArgument = 3,
    /// The deadline passed before the call was done.
    DeadlineExceeded = 4,
    /// What was asked for does not exist.
    NotFound = 5,
    /// What should have been made exists.
    AlreadyExists = 6,
    /// The caller may not do this.
    PermissionDenied = 7,
    /// A quota, a limit or a disk is used up.
    ResourceExhausted = 8,
    /// The state of the server does not allow this.
    FailedPrecondition = 9,
    /// A conflict with another call.
    Aborted = 10,
    /// Past the valid range.
    OutOfRange = 11,
    /// The server has no such method.
    Unimplemented = 12,
    /// The server broke one of its own invariants.
    Internal = 13,
    /// The server cannot be used now.
    Unavailable = 14,
    /// Data is lost or broken for good.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl GrpcCode {
    /// Every code, in ascending order.
    pub const ALL: [GrpcCode; 17] = [
        GrpcCode::Ok,
        GrpcCode::Cancelled,
        GrpcCode::Unknown,
        GrpcCode::InvalidArgument,
        GrpcCode::DeadlineExceeded,
        GrpcCode::NotFound,
        GrpcCode::AlreadyExists,
        GrpcCode::PermissionDenied,
        GrpcCode::ResourceExhausted,
        GrpcCode::FailedPrecondition,
        GrpcCode::Aborted,
        GrpcCode::OutOfRange,
        GrpcCode::Unimplemented,
        GrpcCode::Internal,
        GrpcCode::Unavailable,
        GrpcCode::DataLoss,
        GrpcCode::Unauthenticated,
    ];

    /// The code that a `grpc-status` value says; [`Unknown`](Self::Unknown) if it says none.
    ///
    /// Takes whatever a peer sends and never panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_http::GrpcCode;
    ///
    /// assert_eq!(GrpcCode::from_bytes(b"14"), GrpcCode::Unavailable);
    /// assert_eq!(GrpcCode::from_bytes(b"abc"), GrpcCode::Unknown);
    /// ```
    pub fn from_bytes(value: &[u8]) -> GrpcCode {
        let number = match value {
            [digit @ b'0'..=b'9'] => digit - b'0',
            [b'1', digit @ b'0'..=b'6'] => 10 + digit - b'0',
            _ => return GrpcCode::Unknown,
        };
        GrpcCode::ALL[usize::from(number)]
    }

    /// The code in the `grpc-status` of these headers or trailers; none if there is no such header.
    pub fn from_headers(headers: &HeaderMap) -> Option<GrpcCode> {
        headers.get("grpc-status").map(|value| GrpcCode::from_bytes(value.as_bytes()))
    }

    /// The code that a gRPC client makes of an answer by something that does not speak gRPC (a proxy).
    pub fn from_http(status: StatusCode) -> GrpcCode {
        match status.as_u16() {
            400 => GrpcCode::Internal,
            401 => GrpcCode::Unauthenticated,
            403 => GrpcCode::PermissionDenied,
            404 => GrpcCode::Unimplemented,
            429 | 502 | 503 | 504 => GrpcCode::Unavailable,
            _ => GrpcCode::Unknown,
        }
    }

    pub(crate) const fn bit(self) -> u32 {
        1 << self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_from_its_number() {
        for (number, code) in GrpcCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, number);
            assert_eq!(GrpcCode::from_bytes(number.to_string().as_bytes()), code);
        }
    }

    #[test]
    fn whatever_is_no_code_is_unknown() {
        for value in
            [&b""[..], b"abc", b"17", b"99", b"00", b"014", b"-1", b"+1", b" 0", b"0 ", b"\xff", b"140"]
        {
            assert_eq!(GrpcCode::from_bytes(value), GrpcCode::Unknown, "{value:?}");
        }
    }

    #[test]
    fn a_http_status_becomes_the_code_that_clients_make_of_it() {
        let code = |status| GrpcCode::from_http(StatusCode::from_u16(status).unwrap());
        assert_eq!(code(400), GrpcCode::Internal);
        assert_eq!(code(401), GrpcCode::Unauthenticated);
        assert_eq!(code(403), GrpcCode::PermissionDenied);
        assert_eq!(code(404), GrpcCode::Unimplemented);
        for status in [429, 502, 503, 504] {
            assert_eq!(code(status), GrpcCode::Unavailable);
        }
        for status in [100, 204, 301, 402, 405, 500, 501, 505, 599, 999] {
            assert_eq!(code(status), GrpcCode::Unknown);
        }
    }
}
