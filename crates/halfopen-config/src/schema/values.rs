//! The schemas of values that only a breaker has.

use halfopen_document::inline_schemas;
use schemars::json_schema;

use halfopen_http::GrpcCode;

use crate::document::{Code, Statuses, named_codes};

const STATUSES: &str = "^\\s*([1-5][xX][xX]|[1-5][0-9]{2}(\\s*-\\s*[1-5][0-9]{2})?)\\s*$";

inline_schemas! {
    Statuses, "Statuses": json_schema!({
        "anyOf": [{ "type": "integer", "minimum": 100, "maximum": 599 }, { "type": "string", "pattern": STATUSES }],
        "examples": [503, "500-599", "5xx"],
    });
    Code, "Code": json_schema!({ "anyOf": [{ "enum": named_codes().map(GrpcCode::name).collect::<Vec<_>>() }, { "type": "string", "pattern": codes() }] });
}

/// Every code in capitals or not, with `_`, `-` or nothing between its words.
fn codes() -> String {
    let either = |letter: char| match letter {
        // As the reader takes names: in any case, with `_`, `-` or nothing between the words.
        '_' => "[_-]?".to_owned(),
        letter => format!("[{letter}{}]", letter.to_ascii_lowercase()),
    };
    let names = named_codes().map(|code| code.name().chars().map(either).collect::<String>());
    format!("^({})$", names.collect::<Vec<_>>().join("|"))
}
