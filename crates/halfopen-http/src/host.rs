use std::fmt::Write;

/// Returns the breaker name of a server: its host, and its port unless it is the default of the scheme.
///
/// All spellings of a server's URL have the same name: the host is converted to lower case, and one
/// trailing dot and the default port are removed (80 for `http` and `ws`, 443 for `https` and `wss`).
/// Different ports of a host are different servers. An IPv6 address keeps its brackets.
///
/// # Examples
///
/// ```
/// use halfopen_http::host_key;
///
/// assert_eq!(host_key("https", "API.example.com.", Some(443)), "api.example.com");
/// assert_eq!(host_key("https", "api.example.com", Some(8443)), "api.example.com:8443");
/// ```
pub fn host_key(scheme: &str, host: &str, port: Option<u16>) -> String {
    let host = host.strip_suffix('.').filter(|rest| !rest.is_empty()).unwrap_or(host);
    // A single allocation; `format!` may reallocate.
    let mut key = String::with_capacity(host.len() + ":65535".len());
    key.push_str(host);
    key.make_ascii_lowercase();
    if let Some(port) = port.filter(|&port| own_port(scheme) != Some(port)) {
        write!(key, ":{port}").expect("writing to a String never fails");
    }
    key
}

fn own_port(scheme: &str) -> Option<u16> {
    let is_one_of = |names: [&str; 2]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if is_one_of(["http", "ws"]) {
        Some(80)
    } else if is_one_of(["https", "wss"]) {
        Some(443)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_name() {
        for (scheme, host, port, key) in [
            ("http", "example.com", None, "example.com"),
            ("http", "example.com", Some(80), "example.com"),
            ("HTTPS", "Example.COM", Some(443), "example.com"),
            ("wss", "example.com", Some(443), "example.com"),
            ("http", "example.com.", Some(8080), "example.com:8080"),
            ("https", "example.com", Some(80), "example.com:80"),
            ("http", "example.com", Some(443), "example.com:443"),
            ("http", "example.com..", None, "example.com."),
            ("http", ".", None, "."),
            ("http", "", None, ""),
            ("http", "[::1]", Some(65_535), "[::1]:65535"),
            ("unix", "run", Some(80), "run:80"),
        ] {
            assert_eq!(host_key(scheme, host, port), key, "{scheme}://{host} {port:?}");
        }
    }
}
