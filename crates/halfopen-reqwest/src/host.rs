use std::borrow::Cow;

use halfopen_http::host_key;
use reqwest::Url;

/// Returns the breaker name of the server in a URL, borrowed from the URL if it is written there.
pub(crate) fn host_of(url: &Url) -> Cow<'_, str> {
    let host = url.host_str().unwrap_or_default();
    // A URL of a special scheme has its host in lower case and no default port. What remains is the dot at the end of a
    // name, and the user in front of it.
    let is_normal = url.is_special() && !host.ends_with('.');
    if is_normal && url.username().is_empty() && url.password().is_none() {
        Cow::Borrowed(url.authority())
    } else {
        Cow::Owned(host_key(url.scheme(), host, url.port()))
    }
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
            ("http://user@example.com/", "example.com"),
            ("http://:secret@example.com:81/", "example.com:81"),
            ("http://EXAMPLE.com:80/", "example.com"),
            ("http://example.com../", "example.com."),
            ("ftp://example.com:21/", "example.com"),
            ("ftp://example.com:80/", "example.com:80"),
            ("other://EXAMPLE.com:80/", "example.com:80"),
            ("file:///etc/hosts", ""),
            ("other://example.com/", "example.com"),
            ("mailto:someone@example.com", ""),
        ] {
            assert_eq!(host_of(&url.parse().unwrap()), key, "{url}");
        }
    }
}
