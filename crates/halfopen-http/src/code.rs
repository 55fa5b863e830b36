use http::{HeaderMap, HeaderName, StatusCode};

use crate::lookup::first_value;

/// A parsed name: a look-up by text parses the text each time.
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum GrpcCode {
    /// The call succeeded.
    Ok = 0,
    /// The call was cancelled, usually by the caller or its timer.
    Cancelled = 1,
    /// An unknown error, or a response without a status.
    Unknown = 2,
    /// The request is invalid regardless of the state of the server.
    InvalidArgument = 3,
    /// The deadline passed before the call completed.
    DeadlineExceeded = 4,
    /// The requested entity does not exist.
    NotFound = 5,
    /// The entity to create already exists.
    AlreadyExists = 6,
    /// The caller does not have permission for the operation.
    PermissionDenied = 7,
    /// A quota, a limit or a disk is exhausted.
    ResourceExhausted = 8,
    /// The state of the server does not allow the operation.
    FailedPrecondition = 9,
    /// The operation conflicts with another one.
    Aborted = 10,
    /// The operation is past the valid range.
    OutOfRange = 11,
    /// The server does not implement the method.
    Unimplemented = 12,
    /// The server broke one of its own invariants.
    Internal = 13,
    /// The server is currently unavailable.
    Unavailable = 14,
    /// Data is lost or corrupted beyond recovery.
    DataLoss = 15,
    /// The caller is not authenticated.
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

    /// Returns the name of the code in the specification of gRPC.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_http::GrpcCode;
    ///
    /// assert_eq!(GrpcCode::DeadlineExceeded.name(), "DEADLINE_EXCEEDED");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            GrpcCode::Ok => "OK",
            GrpcCode::Cancelled => "CANCELLED",
            GrpcCode::Unknown => "UNKNOWN",
            GrpcCode::InvalidArgument => "INVALID_ARGUMENT",
            GrpcCode::DeadlineExceeded => "DEADLINE_EXCEEDED",
            GrpcCode::NotFound => "NOT_FOUND",
            GrpcCode::AlreadyExists => "ALREADY_EXISTS",
            GrpcCode::PermissionDenied => "PERMISSION_DENIED",
            GrpcCode::ResourceExhausted => "RESOURCE_EXHAUSTED",
            GrpcCode::FailedPrecondition => "FAILED_PRECONDITION",
            GrpcCode::Aborted => "ABORTED",
            GrpcCode::OutOfRange => "OUT_OF_RANGE",
            GrpcCode::Unimplemented => "UNIMPLEMENTED",
            GrpcCode::Internal => "INTERNAL",
            GrpcCode::Unavailable => "UNAVAILABLE",
            GrpcCode::DataLoss => "DATA_LOSS",
            GrpcCode::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// Parses the value of a `grpc-status` header.
    ///
    /// Returns [`Unknown`](Self::Unknown) if the value is not a code. Never panics.
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
            // As the specification asks for a code that is none of these; a leading zero is not one either.
            _ => return GrpcCode::Unknown,
        };
        GrpcCode::ALL[usize::from(number)]
    }

    /// Returns the code in the `grpc-status` of headers or trailers, or [`None`] without that header.
    #[inline]
    pub fn from_headers(headers: &HeaderMap) -> Option<GrpcCode> {
        first_value(headers, &GRPC_STATUS).map(|value| GrpcCode::from_bytes(value.as_bytes()))
    }

    /// Returns the code that gRPC clients derive from the HTTP status of a response that is not gRPC, such
    /// as that of a proxy.
    pub fn from_http(status: StatusCode) -> GrpcCode {
        match status.as_u16() {
            400 => GrpcCode::Internal,
            401 => GrpcCode::Unauthenticated,
            403 => GrpcCode::PermissionDenied,
            404 => GrpcCode::Unimplemented,
            // The table of the gRPC specification for answers of a proxy that knows no gRPC.
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
    fn an_http_status_becomes_the_code_of_clients() {
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
