/// Returns what the pattern must be instead, if axum would refuse it as the path of a route.
pub(crate) fn problem(pattern: &str) -> Option<String> {
    if !pattern.starts_with('/') {
        return Some("a path of axum that starts with `/`".to_owned());
    }
    // axum 0.8 panics on these, as they were the syntax of 0.7.
    if let Some(segment) = pattern.split('/').find(|segment| segment.starts_with([':', '*'])) {
        let name = segment[1..].trim_matches(['{', '}']);
        let name = if name.is_empty() { "rest" } else { name };
        let star = if segment.starts_with('*') { "*" } else { "" };
        return Some(format!("in the syntax of axum 0.8: `{{{star}{name}}}` instead of `{segment}`"));
    }
    // The router that axum uses decides, so that a pattern that is accepted here is one there.
    let mut paths = matchit::Router::new();
    paths.insert(pattern, ()).err().map(|error| format!("a path that axum accepts: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_axum_are_accepted() {
        for pattern in ["/", "/a", "/a/{id}", "/a/{id}/b/{*rest}", "/{*rest}", "/a/{{literal}}", "/a.{kind}"]
        {
            assert_eq!(problem(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn other_paths_are_refused_with_what_to_write() {
        for (pattern, instead) in [
            ("", "a path of axum that starts with `/`"),
            ("a/{id}", "a path of axum that starts with `/`"),
            ("/a/:id", "in the syntax of axum 0.8: `{id}` instead of `:id`"),
            ("/a/*rest", "in the syntax of axum 0.8: `{*rest}` instead of `*rest`"),
            ("/a/*", "in the syntax of axum 0.8: `{*rest}` instead of `*`"),
        ] {
            assert_eq!(problem(pattern).as_deref(), Some(instead), "{pattern}");
        }
        for pattern in ["/a/{id", "/a/id}", "/a/{}", "/{*rest}/b", "/{a}{b}"] {
            let instead = problem(pattern).unwrap_or_default();
            assert!(instead.starts_with("a path that axum accepts: "), "{pattern}: {instead:?}");
        }
    }
}
