//! The trailers of gRPC-web, which are the last frame of the body.
//!
//! A body is a sequence of frames: a byte of flags, a length of four bytes, a payload. The frame with the
//! highest flag set holds the trailers as lines of text. The text variant encodes the whole body as
//! base64, with padding wherever the server flushed.

use std::io::IoSlice;

use bytes::Buf;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::lookup::first_value;
use crate::retry_info::sextet;

const TRAILERS: u8 = 0x80;
const COMPRESSED: u8 = 0x01;

/// The longest block of trailers that is buffered, a common limit of clients for headers.
const LONGEST: u32 = 16 * 1024;

/// The maximum number of chunks that are read of one data frame.
const PIECES: usize = 16;

/// Parses the trailers of a body incrementally. Only the trailers are buffered.
#[derive(Debug)]
pub(crate) struct WebTrailers {
    text: Option<Base64>,
    state: State,
}

#[derive(Debug)]
enum State {
    Prefix {
        bytes: [u8; 5],
        filled: usize,
    },
    Message {
        left: u32,
    },
    Trailers {
        left: u32,
        block: Vec<u8>,
    },
    Read(HeaderMap),
    /// The body could not be parsed, so the trailers are unknown.
    Lost,
}

#[derive(Debug, Default)]
struct Base64 {
    bits: u32,
    filled: u32,
}

const BETWEEN_FRAMES: State = State::Prefix { bytes: [0; 5], filled: 0 };

impl WebTrailers {
    /// Creates a parser for the body of a response with these headers. Returns [`None`] if the content type
    /// is not gRPC-web.
    pub(crate) fn of(headers: &HeaderMap) -> Option<WebTrailers> {
        let kind = first_value(headers, &CONTENT_TYPE)?.as_bytes();
        let begins =
            |prefix: &[u8]| kind.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if !begins(b"application/grpc-web") {
            return None;
        }
        let text = begins(b"application/grpc-web-text").then(Base64::default);
        Some(WebTrailers { text, state: BETWEEN_FRAMES })
    }

    /// Returns the trailers, or [`None`] until they are complete.
    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        match &self.state {
            State::Read(trailers) => Some(trailers),
            State::Prefix { .. } | State::Message { .. } | State::Trailers { .. } | State::Lost => None,
        }
    }

    /// Returns `true` if the parser has lost track of the frames and may have missed the trailers.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Reads a data frame without consuming it.
    pub(crate) fn look_at<D: Buf>(&mut self, data: &D) {
        // Looked at in place: the reader gets the data untouched, and nothing is copied.
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let filled = data.chunks_vectored(&mut pieces);
        let pieces = pieces.get(..filled).unwrap_or_default();
        // More pieces than there is room for: the place in the stream is lost, and with it the trailers.
        if pieces.iter().map(|piece| piece.len()).sum::<usize>() != data.remaining() {
            self.lose();
        }
        for piece in pieces {
            self.read(piece);
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        let Some(mut text) = self.text.take() else { return self.read_binary(bytes) };
        for &byte in bytes {
            match text.push(byte) {
                Some((decoded, length)) => self.read_binary(&decoded[..length]),
                None => self.lose(),
            }
        }
        self.text = Some(text);
    }

    /// Gives up on the body. Trailers that are already complete are kept.
    fn lose(&mut self) {
        if self.trailers().is_none() {
            self.state = State::Lost;
        }
    }

    fn read_binary(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = self.state.read(bytes);
        }
    }
}

impl State {
    /// Reads up to the end of one part of a frame and returns the remaining bytes.
    fn read<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match self {
            State::Prefix { bytes: prefix, filled } => {
                prefix[*filled] = bytes[0];
                *filled += 1;
                if let (5, [flags, length @ ..]) = (*filled, *prefix) {
                    *self = State::after_prefix(flags, u32::from_be_bytes(length));
                }
                &bytes[1..]
            }
            State::Message { left } => {
                let (part, rest) = split(bytes, *left);
                *left -= part.len() as u32;
                if *left == 0 {
                    *self = BETWEEN_FRAMES;
                }
                rest
            }
            State::Trailers { left, block } => {
                let (part, rest) = split(bytes, *left);
                *left -= part.len() as u32;
                block.extend_from_slice(part);
                if *left == 0 {
                    *self = State::Read(parsed(block));
                }
                rest
            }
            // Nothing more is needed, so the rest of a body costs nothing.
            State::Read(_) | State::Lost => &[],
        }
    }

    fn after_prefix(flags: u8, length: u32) -> State {
        if flags & TRAILERS == 0 {
            return if length == 0 { BETWEEN_FRAMES } else { State::Message { left: length } };
        }
        match length {
            // A length from outside must not decide how much memory is taken.
            _ if flags & COMPRESSED != 0 || length > LONGEST => State::Lost,
            0 => State::Read(HeaderMap::new()),
            left => State::Trailers { left, block: Vec::with_capacity(left as usize) },
        }
    }
}

fn split(bytes: &[u8], left: u32) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len().min(left as usize))
}

/// Parses the lines of a block. Invalid lines are skipped.
fn parsed(block: &[u8]) -> HeaderMap {
    let lines = block.split(|&byte| byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(line[..colon].trim_ascii()).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, value);
    }
    headers
}

impl Base64 {
    /// Adds a character and returns the bytes that it completes, or [`None`] if it is not base64.
    fn push(&mut self, letter: u8) -> Option<([u8; 3], usize)> {
        match letter {
            b'\r' | b'\n' | b' ' => Some(([0; 3], 0)),
            // Padding ends a piece and not the text: each message may be encoded by itself.
            b'=' => Some(self.take()),
            letter => {
                self.bits = self.bits << 6 | sextet(letter)?;
                self.filled += 1;
                Some(if self.filled == 4 { self.take() } else { ([0; 3], 0) })
            }
        }
    }

    /// Returns the complete bytes of a group, which padding may end early.
    fn take(&mut self) -> ([u8; 3], usize) {
        let Base64 { bits, filled } = std::mem::take(self);
        let [_, bytes @ ..] = (bits << (6 * (4 - filled))).to_be_bytes();
        (bytes, (filled * 6 / 8) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GrpcCode;

    const MESSAGE: &[u8] = b"\0\0\0\0\x03abc";
    const OK: &[u8] = b"\x80\0\0\0\x0fgrpc-status:0\r\n";
    const BUSY: &[u8] = b"\x80\0\0\0\x23Grpc-Status: 14\r\nretry-after: 9\r\n\r\n";

    fn reader(kind: &'static str) -> WebTrailers {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        WebTrailers::of(&headers).unwrap()
    }

    fn code(reader: &WebTrailers) -> Option<GrpcCode> {
        GrpcCode::from_headers(reader.trailers()?)
    }

    /// Reads the body byte by byte, after comparing every split into two chunks with the whole.
    fn read(kind: &'static str, body: &[u8]) -> WebTrailers {
        for at in 0..body.len() {
            let (mut whole, mut pieces) = (reader(kind), reader(kind));
            whole.look_at(&body);
            pieces.look_at(&body[..at].chain(&body[at..]));
            assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
        }
        let mut bytewise = reader(kind);
        body.chunks(1).for_each(|mut byte| bytewise.look_at(&&mut byte));
        bytewise
    }

    #[test]
    fn trailers_are_found_behind_any_number_of_messages() {
        for messages in 0..4 {
            let body = [MESSAGE.repeat(messages), b"\0\0\0\0\0".to_vec(), OK.to_vec()].concat();
            assert_eq!(code(&read("application/grpc-web+proto", &body)), Some(GrpcCode::Ok));
        }
    }

    #[test]
    fn every_line_is_a_trailer() {
        let read = read("application/grpc-web", &[MESSAGE, BUSY].concat());
        assert_eq!(code(&read), Some(GrpcCode::Unavailable));
        assert_eq!(read.trailers().unwrap()["retry-after"], "9");
    }

    #[test]
    fn text_is_decoded_padded_anywhere() {
        // The message and the trailers, each padded: "AAAAAANhYmM=" and "gAAAAA9ncnBjLXN0YXR1czowDQo=".
        let text = b"AAAAAANhYmM=gAAAAA9ncnBjLXN0YXR1czowDQo=";
        let kind = "Application/gRPC-Web-Text+proto";
        assert_eq!(code(&read(kind, text)), Some(GrpcCode::Ok));
        assert!(read(kind, b"%").is_lost());
        assert_eq!(code(&read(kind, b"gAAAAA9ncnBjLXN0YXR1czowDQo=%")), Some(GrpcCode::Ok));
    }

    #[test]
    fn a_body_without_its_last_frame_has_no_status() {
        for body in [MESSAGE, &OK[..OK.len() - 1], b"\x80", b""] {
            let read = read("application/grpc-web", body);
            assert!(read.trailers().is_none() && !read.is_lost(), "{body:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_lost_and_not_kept() {
        for body in [&b"\x81\0\0\0\x01x"[..], b"\x80\xff\xff\xff\xff", b"\x80\0\0\x40\x01"] {
            assert!(read("application/grpc-web", body).is_lost(), "{body:?}");
        }
    }

    #[test]
    fn other_kinds_are_not_read() {
        for kind in ["application/grpc", "application/grpc+proto", "text/html", ""] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            assert!(WebTrailers::of(&headers).is_none(), "{kind}");
        }
    }
}
