//! Texts without the passwords in them.

use std::borrow::Cow;
use std::ops::Range;

/// Returns a text with `***` in place of the passwords of the URLs in it.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::without_passwords;
///
/// assert_eq!(without_passwords("redis://app:s3cret@cache:6379/0"), "redis://app:***@cache:6379/0");
/// assert_eq!(without_passwords("https://api.example.com/a:b@c"), "https://api.example.com/a:b@c");
/// ```
///
/// A password may have characters that a URL has to escape, as in `https://app:s3/cret@host`, which is no valid URL.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    let mut hidden = String::new();
    let mut rest = text;
    while let Some(start) = authority_start(rest) {
        let (before, after) = rest.split_at(start);
        hidden.push_str(before);
        rest = match password(after) {
            Some(password) => {
                hidden.extend([&after[..password.start], "***"]);
                &after[password.end..]
            }
            None => after,
        };
    }
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    hidden.push_str(rest);
    Cow::Owned(hidden)
}

/// Returns where the user, the password and the host of the next URL begin. HTTP is lenient about the slashes before them.
fn authority_start(text: &str) -> Option<usize> {
    let ends = ["//", "\\\\", "http:", "https:"].into_iter().filter_map(|it| Some(text.find(it)? + it.len()));
    let end = ends.min()?;
    Some(end + text[end..].bytes().take_while(|byte| matches!(byte, b'/' | b'\\')).count())
}

/// Returns the place of the password in a text that begins with an authority.
fn password(text: &str) -> Option<Range<usize>> {
    let mut last = ' ';
    let ends = |c: char| {
        let is_escaped = last == '\\';
        last = c;
        (c == '"' && !is_escaped) || c == '`' || c.is_whitespace()
    };
    let word = &text[..text.find(ends).unwrap_or(text.len())];
    let authority = &word[..word.find(['/', '?', '#']).unwrap_or(word.len())];
    // A password may have a `@` itself, but only its first `:` ends the name.
    let (start, end) = match (authority.rfind('@'), word.find(':')) {
        (Some(end), Some(start)) if start < end => (start + 1, end),
        (Some(_), _) | (None, None) => return None,
        // No authority but that of a password with one of the characters above; otherwise it is a host with its port.
        (None, Some(start)) => {
            let is_host = word.starts_with('[') || start >= authority.len();
            let is_port =
                authority.get(start + 1..).is_some_and(|port| port.bytes().all(|it| it.is_ascii_digit()));
            if is_host || is_port {
                return None;
            }
            (start + 1, start + 1 + word[start + 1..].find('@')?)
        }
    };
    Some(start..end)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_wherever_it_is() {
        for (text, hidden) in [
            ("a://u:p@h", "a://u:***@h"),
            ("a://:p@h b://u:p@q@h:1/x?y", "a://:***@h b://u:***@h:1/x?y"),
            ("url: \"a://u:p@h\", to: 'a@b:c'", "url: \"a://u:***@h\", to: 'a@b:c'"),
            ("a://u@h:80", "a://u@h:80"),
            ("a://h:80/u:p@x", "a://h:80/u:p@x"),
            ("ü://ü:ü@ü", "ü://ü:***@ü"),
            ("http://u:p@h,http://v:q@k", "http://u:***@h,http://v:***@k"),
            ("http://u:a/b?c#d@h/x", "http://u:***@h/x"),
            ("'a://u:it's@h'", "'a://u:***@h'"),
            (r#""a://u:p\"q@h" "b@c""#, r#""a://u:***@h" "b@c""#),
            ("https:/u:p@h https:u:p@h", "https:/u:***@h https:u:***@h"),
            (r"http:\\u:p@h //u:p@h", r"http:\\u:***@h //u:***@h"),
            ("http: a:b c@d, a//b c", "http: a:b c@d, a//b c"),
            ("a://[::1]:80/x@y", "a://[::1]:80/x@y"),
        ] {
            assert_eq!(without_passwords(text), hidden);
        }
        assert!(matches!(without_passwords("no URL"), Cow::Borrowed("no URL")));
    }
}
