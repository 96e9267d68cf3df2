//! Secrets in links: `https://…/download?auth=…`.

use std::borrow::Cow;

use memchr::memchr2;

use super::REDACTED;
use super::keys::is_secret;

/// Redacts the secrets in links. `_esd` is the portal's drive's parameter for the token of a file.
pub(crate) fn without_secrets(text: &str) -> Cow<'_, str> {
    redacted(text, |name| is_secret(name) || name == "_esd")
}

/// Redacts the value of every query parameter whose name is a secret's.
pub(crate) fn redacted(text: &str, is_secret: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = next(text, at) {
        at = start;
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.%[]".contains(byte);
        let name = text.as_bytes()[start..]
            .iter()
            .take_while(|byte| is_name(byte));
        let end = start + name.count();
        if text.as_bytes().get(end) != Some(&b'=') || !is_secret(&text[start..end]) {
            continue;
        }
        let value = end + 1;
        let ends = |c: char| c.is_whitespace() || "&#\"'<>\\`".contains(c);
        at = text[value..]
            .find(ends)
            .map_or(text.len(), |len| value + len);
        if at > value {
            shown.push_str(&text[copied..value]);
            shown.push_str(REDACTED);
            copied = at;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[copied..]);
    Cow::Owned(shown)
}

/// Returns where the next parameter may begin.
fn next(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let query = memchr2(b'?', b'&', rest);
    // Some servers pass tokens behind `#`.
    let fragment = memchr::memchr(b'#', &rest[..query.unwrap_or(rest.len())]);
    Some(at + fragment.or(query)? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Cow<'_, str> {
        redacted(text, |name| name == "auth" || name == "data[token]")
    }

    #[test]
    fn the_value_of_a_parameter_that_names_a_secret_is_redacted() {
        for (text, expected) in [
            ("https://p/?auth=s3", "https://p/?auth=[redacted]"),
            ("/d?a=1&auth=s3&b=2", "/d?a=1&auth=[redacted]&b=2"),
            ("x?auth=s3&auth=s4#y", "x?auth=[redacted]&auth=[redacted]#y"),
            ("https://p/#auth=s3", "https://p/#auth=[redacted]"),
            ("p?data[token]=s3", "p?data[token]=[redacted]"),
            ("p?&&auth=s3", "p?&&auth=[redacted]"),
            (
                "?auth=s3 and ?auth=s4",
                "?auth=[redacted] and ?auth=[redacted]",
            ),
            (
                "[URL=https://p/?auth=s3]ж[/URL]",
                "[URL=https://p/?auth=[redacted]",
            ),
            (
                "{\"link\":\"p?auth=s3\"}",
                "{\"link\":\"p?auth=[redacted]\"}",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn anything_else_is_left_as_it_is() {
        for text in [
            "",
            "?",
            "&",
            "#",
            "a?b=c&d=e",
            "auth=s3",
            "p?auth=",
            "p?auth",
            "p?author=x",
            "Really? auth=x",
            "ж?ж&ж#ж",
            "p?ж=auth=x",
        ] {
            assert!(matches!(shown(text), Cow::Borrowed(_)), "{text}");
            assert_eq!(shown(text), text);
        }
    }
}
