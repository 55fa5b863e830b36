use halfopen_http::host_key;
use reqwest::Url;

/// Returns the breaker name of the server in a URL.
pub(crate) fn host_of(url: &Url) -> String {
    host_key(url.scheme(), url.host_str().unwrap_or_default(), url.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_as_in_a_document() {
        for (url, key) in [
            ("http://example.com/a?b#c", "example.com"),
            ("https://example.com:443", "example.com"),
            ("http://example.com:443", "example.com:443"),
            ("http://example.com.:8080", "example.com:8080"),
            ("https://user:secret@EXAMPLE.com:8443/x", "example.com:8443"),
            ("http://127.0.0.1:1", "127.0.0.1:1"),
            ("http://[::1]:65535/", "[::1]:65535"),
            ("other://example.com/", "example.com"),
            ("mailto:someone@example.com", ""),
        ] {
            assert_eq!(host_of(&url.parse().unwrap()), key, "{url}");
        }
    }
}
