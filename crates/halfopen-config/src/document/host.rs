//! Names of breakers that look like servers, which must match the names of the per-host breakers of HTTP clients.

use halfopen_http::host_key;

/// Returns the per-host name of the server that this name means, if no URL leads to the name itself.
pub(super) fn per_host_name(name: &str) -> Option<String> {
    let (scheme, server) = match name.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest.split('/').next().unwrap_or_default()),
        None => (None, name),
    };
    // From the right: an IPv6 address has colons of its own.
    let (host, port) = match server.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) => (host, Some(port)),
        Some((_, Err(_))) | None => (server, None),
    };
    if !is_host(host, scheme.is_some()) {
        return None;
    }
    // Without a scheme, these ports imply the scheme whose default port they are.
    let scheme = scheme.unwrap_or(match port {
        Some(443) => "https",
        Some(_) | None => "http",
    });
    Some(host_key(scheme, host, port)).filter(|key| key != name && !key.is_empty())
}

/// Returns true for a domain of several labels, an address or `localhost`.
fn is_host(host: &str, after_scheme: bool) -> bool {
    let is_address = host.starts_with('[') && host.ends_with(']');
    let labels = || host.strip_suffix('.').unwrap_or(host).split('.');
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // Without a scheme, a single word is more likely a plain name than a server.
    is_address || labels().all(is_label) && (after_scheme || labels().count() > 1 || host == "localhost")
}

#[cfg(test)]
mod tests {
    use super::per_host_name;

    #[test]
    fn a_server_is_named_as_its_breaker() {
        for (name, key) in [
            ("api.example.com:443", "api.example.com"),
            ("api.example.com:80", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("api.example.com.:8443", "api.example.com:8443"),
            ("API.example.com:8443", "api.example.com:8443"),
            ("https://api.example.com", "api.example.com"),
            ("https://api.example.com:8443/v1", "api.example.com:8443"),
            ("http://payments:8080", "payments:8080"),
            ("localhost:80", "localhost"),
            ("[::1]:80", "[::1]"),
        ] {
            assert_eq!(per_host_name(name).as_deref(), Some(key), "{name}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "payments",
            "api.example.com",
            "api.example.com:8443",
            "db-*",
            "db.*",
            "orders.v1.Orders/Get",
            "payments::open",
            "Client#get(String,int)",
            "a.b",
            "12",
            "redis:443",
            "two words.",
            "größe.de:443",
            "[::1]:8080",
            "://",
            "http://",
        ] {
            assert_eq!(per_host_name(name), None, "{name}");
        }
    }
}
