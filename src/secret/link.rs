//! Secrets in links: `https://…/download?auth=…`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::REDACTED;
use super::keys::is_secret;

/// Redacts the secrets in links. `_esd` is the portal's drive's parameter for the token of a file.
pub(crate) fn without_secrets(text: &str) -> Cow<'_, str> {
    redacted(text, |name| is_secret(name) || name == "_esd")
}

/// Longer names are not read, so that the cost is bounded by the length of the text.
const MAX_NAME_LEN: usize = 128;

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
            .take(MAX_NAME_LEN)
            .take_while(|byte| is_name(byte));
        let name = &text[start..start + name.count()];
        // In a link that is encoded in another one, `=` is `%3D`.
        let encoded = name.find("%3D").or_else(|| name.find("%3d"));
        let (name, value) = match encoded {
            Some(len) => (&name[..len], start + len + "%3D".len()),
            None if text[start + name.len()..].starts_with('=') => (name, start + name.len() + 1),
            None => continue,
        };
        if !is_secret(&percent_decode_str(name).decode_utf8_lossy()) {
            continue;
        }
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

/// Returns the index at which the next parameter may begin: behind `?`, `&`, `#` and `;`, and behind
/// `?` and `&` as JSON or an encoded link writes them.
fn next(text: &str, at: usize) -> Option<usize> {
    const MARKS: [&[u8]; 6] = [b"\\u0026", b"\\u003f", b"%26", b"%3F", b"%3f", b"%23"];
    let text = text.as_bytes();
    (at..text.len()).find_map(|at| match text[at] {
        b'?' | b'&' | b'#' | b';' => Some(at + 1),
        b'%' | b'\\' => {
            let mark = MARKS.into_iter().find(|mark| text[at..].starts_with(mark));
            mark.map(|mark| at + mark.len())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Cow<'_, str> {
        redacted(text, |name| name == "auth" || name == "data[token]")
    }

    #[test]
    fn link_parameter_with_a_secret_name_is_redacted() {
        for (text, expected) in [
            ("https://p/?auth=s3", "https://p/?auth=[redacted]"),
            ("/d?a=1&auth=s3&b=2", "/d?a=1&auth=[redacted]&b=2"),
            ("x?auth=s3&auth=s4#y", "x?auth=[redacted]&auth=[redacted]#y"),
            ("https://p/#auth=s3", "https://p/#auth=[redacted]"),
            ("p?data[token]=s3", "p?data[token]=[redacted]"),
            ("p?&&auth=s3", "p?&&auth=[redacted]"),
            (
                "p?a=1&amp;auth=s3&amp;b=2",
                "p?a=1&amp;auth=[redacted]&amp;b=2",
            ),
            ("p?a=1;auth=s3", "p?a=1;auth=[redacted]"),
            ("p?%61uth=s3", "p?%61uth=[redacted]"),
            (r"p?a=1\u0026auth=s3", r"p?a=1\u0026auth=[redacted]"),
            (
                "r?to=https%3A%2F%2Fp%3Fauth=s3",
                "r?to=https%3A%2F%2Fp%3Fauth=[redacted]",
            ),
            (
                "r?to=https%3A%2F%2Fp%3Fauth%3Ds3&b=2",
                "r?to=https%3A%2F%2Fp%3Fauth%3D[redacted]&b=2",
            ),
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
    fn link_without_secrets_is_unchanged() {
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
