//! `SelectedPath`: a path in one canonical spelling, because routers differ in those they accept.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

#[derive(Clone)]
pub(super) struct SelectedPath {
    path: Box<str>,
    canonical: Box<[u8]>,
}

impl SelectedPath {
    pub(super) fn new(path: String) -> Self {
        Self {
            canonical: canonical(&path).into(),
            path: path.into(),
        }
    }

    /// Returns `true` if the path is spelled as it was configured.
    pub(super) fn is_spelled(&self, path: &str) -> bool {
        *self.path == *path
    }

    pub(super) fn matches(&self, canonical: &[u8]) -> bool {
        *self.canonical == *canonical
    }
}

impl fmt::Debug for SelectedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// Returns the path decoded and without empty segments, `.` and `..`.
pub(super) fn canonical(path: &str) -> Cow<'_, [u8]> {
    let path = path.trim_end_matches('/');
    if !path.contains('%') && !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path.as_bytes());
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut segments = Vec::new();
    for segment in decoded.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut canonical = Vec::with_capacity(decoded.len());
    for segment in segments {
        canonical.push(b'/');
        canonical.extend_from_slice(segment);
    }
    Cow::Owned(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_path_is_the_same_for_every_spelling() {
        for path in ["/a/b", "/a/b/", "//a//b", "/a/./b", "/x/../a/b", "/%61/b"] {
            assert_eq!(*canonical(path), *b"/a/b", "{path}");
        }
    }

    #[test]
    fn selected_path_matches_if_configured_in_another_spelling() {
        let selected = SelectedPath::new("//a/%62/".to_owned());
        assert!(selected.matches(&canonical("/a/b")));
        assert!(!selected.matches(&canonical("/a/B")));
        assert_eq!(format!("{selected:?}"), r#""//a/%62/""#);
    }
}
